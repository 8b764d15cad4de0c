"""Which programs cannot be gated, and why, from their files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from giveway.devices import target
from giveway.devices.elf import read_program

GLIBC = "/lib64/ld-linux-x86-64.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"
_BASE = 0x1000


def elf(
    interpreter: str | None = None,
    needed: tuple[str, ...] = (),
    soname: str | None = None,
    *,
    bits: int = 64,
    machine: int = 62,
) -> bytes:
    """A program that has the headers that a loader reads, and no code."""
    names = [*needed, *([soname] if soname else [])]
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    places = [1 + sum(len(name) + 1 for name in names[:at]) for at in range(len(names))]
    headers = [(1, 0)] + ([(3, 0)] if interpreter else []) + ([(2, 0)] if names else [])
    at = 64 + 56 * len(headers)
    path = interpreter.encode() + b"\0" if interpreter else b""
    strings_at = at + len(path)
    dynamic_at = strings_at + len(strings)
    tags = [(5, _BASE + strings_at)]
    tags += [(14 if soname and n == len(needed) else 1, place) for n, place in enumerate(places)]
    dynamic = b"".join(struct.pack("<QQ", *pair) for pair in [*tags, (0, 0)])
    spans = {1: (0, dynamic_at + len(dynamic)), 3: (at, len(path)), 2: (dynamic_at, len(dynamic))}
    content = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    content += struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, len(headers), 0, 0, 0
    )
    for kind, _ in headers:
        start, size = spans[kind]
        content += struct.pack("<IIQQQQQQ", kind, 4, start, _BASE + start, 0, size, size, 1)
    return content + path + strings + dynamic


def program(folder: Path, content: bytes, name: str = "program") -> Path:
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def why(path: Path, env: dict[str, str] | None = None) -> str | None:
    found = target.judge(path, env or {})
    return found.why if found else None


def test_the_programs_of_these_tests_are_read_as_written(tmp_path: Path) -> None:
    found = read_program(program(tmp_path, elf(GLIBC, ("libm.so.6", "libc.so.6"))))
    assert found is not None
    assert (found.interpreter, found.needed) == (GLIBC, ("libm.so.6", "libc.so.6"))


@pytest.mark.parametrize(
    ("content", "reason", "starts", "children"),
    [
        (elf(MUSL), "uses musl, not glibc", False, False),
        (elf("/lib/ld64-uClibc.so.0"), "uses the loader ld64-uClibc.so.0, not glibc", False, False),
        (elf("/system/bin/linker64"), "uses the loader linker64, not glibc", False, False),
        (elf(soname="libc.musl-x86_64.so.1"), "uses musl, not glibc", False, False),
        (elf(), "is statically linked", True, True),
        (elf(bits=32, machine=3), "is built for i386", False, False),
        (elf(bits=32), "is built for 32-bit x86-64", False, False),
        (elf(machine=183), "is built for AArch64", False, False),
        (
            elf(GLIBC, ("libasan.so.8", "libc.so.6")),
            "is built with AddressSanitizer, whose runtime is not in LD_PRELOAD",
            False,
            False,
        ),
    ],
)
def test_a_program_that_cannot_be_gated_is_known(
    tmp_path: Path, content: bytes, reason: str, starts: bool, children: bool
) -> None:
    found = target.judge(program(tmp_path, content), {})
    assert found == target.Ungated(reason, starts, children)


@pytest.mark.parametrize(
    "content",
    [
        elf(GLIBC),
        elf(GLIBC, ("libc.so.6",)),
        elf("/nix/store/abc-glibc-2.40/lib/ld-linux-x86-64.so.2"),
        elf(soname="ld-linux-x86-64.so.2"),
        b"",
        b"echo hello\n",
        b"\x7fELF",
        elf(MUSL)[:100],
        elf(MUSL)[:64] + b"\xff" * 200,
    ],
)
def test_any_other_program_is_gated(tmp_path: Path, content: bytes) -> None:
    assert why(program(tmp_path, content)) is None


@pytest.mark.parametrize(
    "env",
    [
        {"LD_PRELOAD": "/lib/a.so /usr/lib/gcc/libasan.so"},
        {"LD_PRELOAD": "libclang_rt.asan-x86_64.so"},
        {"ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"},
    ],
)
def test_a_program_with_address_sanitizer_is_gated_where_it_may(
    tmp_path: Path, env: dict[str, str]
) -> None:
    path = program(tmp_path, elf(GLIBC, ("libclang_rt.asan-x86_64.so", "libc.so.6")))
    assert why(path, env) is None
    assert why(path, {"LD_PRELOAD": "/lib/libasan_like.so"}) is not None


def test_a_script_is_what_its_interpreter_is(tmp_path: Path) -> None:
    musl = program(tmp_path, elf(MUSL), "musl-sh")
    glibc = program(tmp_path, elf(GLIBC), "sh")
    script = program(tmp_path, f"#! {musl} -e\nexit\n".encode(), "script")
    assert why(script) == "uses musl, not glibc"
    assert why(program(tmp_path, f"#!{script}\n".encode(), "of-a-script")) == why(script)
    assert why(program(tmp_path, f"#!{glibc}\n".encode(), "usual")) is None
    assert why(program(tmp_path, b"#!/no/such/file\n", "lost")) is None
    assert why(program(tmp_path, f"#!{tmp_path}/loop\n".encode(), "loop")) is None


@pytest.mark.parametrize(
    "line", ["env musl-sh", "env -S musl-sh -x", "env -Smusl-sh", "env A=b musl-sh"]
)
def test_env_is_what_it_starts(tmp_path: Path, line: str) -> None:
    program(tmp_path, elf(GLIBC), "env")
    program(tmp_path, elf(MUSL), "musl-sh")
    script = program(tmp_path, f"#!{tmp_path}/{line}\n".encode(), "script")
    assert why(script, {"PATH": str(tmp_path)}) == "uses musl, not glibc"
    assert why(script, {"PATH": "/no/such/folder"}) is None


def test_a_set_user_id_program_is_not_gated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program(tmp_path, elf(GLIBC))
    path.chmod(0o4755)
    assert why(path) is None  # its user is the caller
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert target.judge(path, {}) == target.Ungated(
        "runs with rights of its own", starts=True, children=False
    )


def test_a_program_that_cannot_be_read_is_left_to_the_kernel(tmp_path: Path) -> None:
    assert why(tmp_path) is None
    assert why(tmp_path / "nowhere") is None


def test_the_notice_says_what_becomes_of_children() -> None:
    static = target.Ungated("is statically linked", starts=True, children=True)
    assert (
        static.notice
        == "is statically linked: it runs ungated, the programs that it starts are gated"
    )
    musl = target.Ungated("uses musl, not glibc", starts=False, children=False)
    assert (
        musl.notice
        == "uses musl, not glibc: it runs ungated, and so do the programs that it starts"
    )
