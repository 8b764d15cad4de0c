"""ROCm's libraries and the shims: symbols that a library needs and a shim exports."""

from __future__ import annotations

from pathlib import Path

import pytest

from giveway.devices import elf, hip
from giveway.devices.drivers import HIP
from giveway.verify import rocm

SYMBOLS = Path(__file__).parents[2] / "native/gpu/hip/symbols.txt"


@pytest.fixture(autouse=True)
def no_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A ROCm that this machine has is not looked at."""
    monkeypatch.setattr(hip, "folders", lambda _: [tmp_path])


def look(folder: Path) -> rocm.Finding:
    return rocm.versions({"LD_LIBRARY_PATH": str(folder)}, {})


@pytest.mark.parametrize("generation", HIP.generations)
def test_the_shims_export_what_is_listed(generation: str) -> None:
    library = elf.read(HIP.shim(generation))
    assert library.soname == f"libamdhip64.so.{generation}"
    rows = [line.split() for line in SYMBOLS.read_text().splitlines() if line[0] != "#"]
    listed = {
        (row[0], row[1])
        for row in rows
        if any(release.startswith(f"{generation}.") for release in row[2:])
    }
    assert library.exports.keys() == listed


def test_no_library_is_said(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert (found.problem, found.facts) == (None, {"rocm": "skipped: no ROCm library here"})


@pytest.mark.parametrize(
    "content", [b"", b"GROUP ( libfoo.so )", b"\x7fELF\x02\x01" + b"\xff" * 80]
)
def test_what_is_no_library_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "librocblas.so").write_bytes(content)
    assert look(tmp_path).problem is None
    with pytest.raises(elf.ElfError):
        elf.read(tmp_path / "librocblas.so")
