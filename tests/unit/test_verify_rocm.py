"""ROCm's libraries and the shims: what the one wants, and the other has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from giveway.devices import elf, hip
from giveway.devices.drivers import HIP
from giveway.verify import rocm

SYMBOLS = Path(__file__).parents[2] / "native/shim/hip/symbols.txt"


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


@pytest.mark.skipif(shutil.which("readelf") is None, reason="no readelf to compare with")
def test_symbols_are_those_that_readelf_finds() -> None:
    path = Path(subprocess.check_output(["cc", "-print-file-name=libm.so.6"], text=True).strip())
    command = ["readelf", "--dyn-syms", "--wide", str(path)]
    exports, needs = set(), set()
    for line in subprocess.check_output(command, text=True).splitlines():
        fields = line.split()
        if len(fields) < 8 or "@" not in fields[7] or fields[6] == "ABS":
            continue
        name, _, node = fields[7].partition("@")
        (needs if fields[6] == "UND" else exports).add((name, node.strip("@")))
    library = elf.read(path)
    assert len(exports) > 100
    assert {symbol for symbol in library.exports if symbol[1]} == exports
    assert set().union(*library.wants.values()) == needs


def test_no_library_is_said(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert (found.problem, found.facts) == (None, {"rocm": "skipped: no ROCm library here"})


def build(folder: Path, name: str, code: str, *options: str) -> Path:
    source = folder / "source.c"
    source.write_text(code)
    path = folder / name
    subprocess.run(["cc", "-shared", "-fPIC", "-o", path, source, *options], check=True)
    return path


def runtime(folder: Path, functions: str, generation: str = "6") -> Path:
    """A runtime that exports these functions in node hip_4.2."""
    script = folder / "map"
    script.write_text("hip_4.2 { global: *; };")
    code = "".join(f"void {name}(void) {{}}" for name in functions.split())
    soname = f"libamdhip64.so.{generation}"
    return build(folder, soname, code, f"-Wl,-soname,{soname},--version-script,{script}")


def test_a_runtime_of_which_the_shim_has_all(tmp_path: Path) -> None:
    runtime(tmp_path, "hipMalloc hipFree")
    found = look(tmp_path)
    assert (found.problem, found.facts) == (None, {"rocm": ["libamdhip64.so.6: 2 symbols"]})


def test_a_symbol_that_the_shim_lacks_is_named(tmp_path: Path) -> None:
    runtime(tmp_path, "hipMalloc hipNewThing")
    assert look(tmp_path).problem == (
        "libamdhip64.so.6: the shim lacks 1 of its 2 symbols, hipNewThing@hip_4.2 first"
    )


def test_a_right_name_in_a_wrong_node_is_a_missing_one(tmp_path: Path) -> None:
    runtime(tmp_path, "hipMallocFromPoolAsync")
    assert "hipMallocFromPoolAsync@hip_4.2 first" in str(look(tmp_path).problem)


def test_a_generation_without_a_shim(tmp_path: Path) -> None:
    runtime(tmp_path, "hipMalloc", generation="4")
    assert look(tmp_path).problem == ("libamdhip64.so.4: giveway has no shim for libamdhip64.so.4")


def test_what_a_client_wants_has_to_be_there(tmp_path: Path) -> None:
    library = runtime(tmp_path, "hipMalloc hipNewThing")
    build(
        tmp_path,
        "librocblas.so.4",
        "void hipMalloc(void), hipNewThing(void); void go(void) { hipMalloc(); hipNewThing(); }",
        str(library),
    )
    library.unlink()
    assert look(tmp_path).problem == (
        "librocblas.so.4: the shim lacks 1 of its 2 symbols, hipNewThing@hip_4.2 first"
    )


@pytest.mark.parametrize(
    "content", [b"", b"GROUP ( libfoo.so )", b"\x7fELF\x02\x01" + b"\xff" * 80]
)
def test_what_is_no_library_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "librocblas.so").write_bytes(content)
    assert look(tmp_path).problem is None
    with pytest.raises(elf.ElfError):
        elf.read(tmp_path / "librocblas.so")
