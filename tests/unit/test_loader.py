"""Where the loader finds a library."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from giveway.devices import loader, processor


def test_the_path_comes_before_the_cache_and_the_default_folders(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    for path in (tmp_path / "b" / "libm.so.6", tmp_path / "libm.so.6"):
        path.touch()
    search = {"LD_LIBRARY_PATH": f"{tmp_path}/a;{tmp_path}/b:{tmp_path}"}
    first, second, *others = loader.candidates("libm.so.6", search)
    assert (first, second) == (tmp_path / "b" / "libm.so.6", tmp_path / "libm.so.6")
    assert others == list(loader.candidates("libm.so.6", {}))


@pytest.mark.parametrize(("machine", "folder"), [("x86_64", "c"), ("aarch64", "b")])
def test_libraries_of_other_machines_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, folder: str
) -> None:
    monkeypatch.setattr(loader, "PROCESSOR", processor.PROCESSORS[machine])
    i386, arm = b"\x7fELF\x01" + bytes(13) + b"\x03\0", b"\x7fELF\x02" + bytes(13) + b"\xb7\0"
    x86_64, text = b"\x7fELF\x02" + bytes(13) + b"\x3e\0", b"INPUT(libx.so.2)\n"
    for name, content in {"a": i386, "b": arm, "c": x86_64, "d": text}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "libx.so.1").write_bytes(content)
    search = {"LD_LIBRARY_PATH": ":".join(str(tmp_path / name) for name in "abcd")}
    found = list(loader.candidates("libx.so.1", search))
    assert found == [tmp_path / folder / "libx.so.1", tmp_path / "d" / "libx.so.1"]


def test_an_empty_entry_is_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "libx.so.1").touch()
    monkeypatch.chdir(tmp_path)
    assert list(loader.candidates("libx.so.1", {"LD_LIBRARY_PATH": "/nowhere:"}))
    assert list(loader.candidates("libx.so.1", {"LD_LIBRARY_PATH": ""})) == []


def test_what_is_found_is_what_the_loader_loads() -> None:
    ctypes.CDLL("libm.so.6")
    loaded = {
        Path(line.split()[-1]).resolve()
        for line in Path("/proc/self/maps").read_text().splitlines()
        if "/libm.so.6" in line or "/libm-2" in line
    }
    assert next(loader.candidates("libm.so.6", {})).resolve() in loaded


def test_the_cache_is_read(tmp_path: Path) -> None:
    if not loader.CACHE.exists():
        pytest.skip("no cache here")
    assert Path("/lib", loader.PROCESSOR.multiarch, "libc.so.6") in loader.cached("libc.so.6")
    assert loader.cached("libc.so") == loader.cached("ibc.so.6") == []
    damaged = tmp_path / "cache"
    content = loader.CACHE.read_bytes()
    for size in (0, 10, 30, 60, 1000, len(content) // 2):
        damaged.write_bytes(content[:size])
        loader.cached("libc.so.6", damaged)
    assert loader.cached("libc.so.6", tmp_path / "none") == []
