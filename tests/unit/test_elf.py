"""The ELF reader, on giveway's own libraries and against damage."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from giveway import elf
from giveway.driver import CUDA, HIP
from giveway.page import library_path


def test_names_nodes_and_the_stack() -> None:
    shim = elf.read(HIP.shim("6"))
    assert (shim.soname, shim.executable_stack) == ("libamdhip64.so.6", False)
    assert library_path().name in shim.needed
    assert {"hip_4.2", "hip_6.0"} <= shim.nodes
    assert "libamdhip64.so.6" not in shim.nodes


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not a shared library"),
        (b"#!/bin/sh\necho libcuda.so.1\n", "not a shared library"),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x03\0\x03\0" + bytes(44), "built for i386"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\xb7\0" + bytes(44), "built for AArch64"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x01\0\x3e\0" + bytes(44), "not a shared library"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0" + bytes(44), "damaged"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0", "damaged"),
    ],
)
def test_what_is_no_library_of_this_machine_is_said(
    tmp_path: Path, content: bytes, what: str
) -> None:
    path = tmp_path / "libcuda.so.1"
    path.write_bytes(content)
    with pytest.raises(elf.ElfError, match=what):
        elf.read(path)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_is_an_elf_error_or_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(CUDA.hooks("1").read_bytes())
    # Headers and the dynamic tables lie in the beginning; the rest is code.
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(20, 20_000))
        content[at] = data.draw(st.integers(0, 255))
    size = data.draw(st.sampled_from([len(content), 30, 64, 700, 4096, 12_000]))
    path = tmp_path_factory.getbasetemp() / "damaged.so"
    path.write_bytes(content[:size])
    with contextlib.suppress(elf.ElfError):
        elf.read(path)
