"""Whether the shims export the symbols that a ROCm needs, with compiled libraries."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from giveway.devices import hip
from giveway.verify import rocm


@pytest.fixture(autouse=True)
def no_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A ROCm that this machine has is not looked at."""
    monkeypatch.setattr(hip, "folders", lambda _: [tmp_path])


def look(folder: Path) -> rocm.Finding:
    return rocm.versions({"LD_LIBRARY_PATH": str(folder)}, {})


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
