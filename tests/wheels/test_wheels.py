"""What `make wheels` builds is fit for an index, is the same again, and works when installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import giveway.version
from giveway.devices import elf, processor
from tools import wheels

ROOT = Path(__file__).parents[2]
NAME = f"giveway-{giveway.version.__version__}"
MACHINES = ("x86_64", "aarch64")


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "tools/wheels.py", "--out", folder)
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare clone's files: what is committed, and nothing that was built here."""
    folder = tmp_path_factory.mktemp("clone")
    run("git", "clone", "--quiet", ROOT, folder)
    return folder


def wheel(folder: Path, machine: str) -> Path:
    return folder / f"{NAME}-py3-none-manylinux_2_28_{machine}.whl"


def libraries(folder: Path, machine: str, to: Path) -> list[Path]:
    with zipfile.ZipFile(wheel(folder, machine)) as archive:
        archive.extractall(to)
    return sorted(path for path in to.rglob("*.so*") if path.is_file())


def test_there_is_one_wheel_for_each_machine_and_the_source(built: Path) -> None:
    names = {f"{NAME}.tar.gz", *(wheel(built, machine).name for machine in MACHINES)}
    assert {path.name for path in built.iterdir()} == names


@pytest.mark.parametrize("machine", MACHINES)
def test_auditwheel_agrees_with_the_name(built: Path, machine: str) -> None:
    assert re.fullmatch(rf"manylinux_2_\d+_{machine}", wheels.audit(wheel(built, machine)))


def test_a_wheel_that_needs_a_newer_glibc_is_refused(built: Path, tmp_path: Path) -> None:
    source, library = tmp_path / "newer.c", tmp_path / "newer.so"
    source.write_text("#include <string.h>\nconst char *f(void) { return strerrordesc_np(1); }\n")
    run("cc", "-D_GNU_SOURCE", "-shared", "-fPIC", source, "-o", library)
    copy = tmp_path / wheel(built, "x86_64").name
    with zipfile.ZipFile(wheel(built, "x86_64")) as good, zipfile.ZipFile(copy, "w") as bad:
        for name in good.namelist():
            is_replaced = name == "giveway/lib/libgiveway-cpu.so"
            bad.writestr(name, library.read_bytes() if is_replaced else good.read(name))
    with pytest.raises(SystemExit, match="auditwheel does not agree"):
        wheels.audit(copy)


@pytest.mark.parametrize("machine", MACHINES)
def test_no_library_asks_for_a_newer_glibc(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    monkeypatch.setattr(elf, "_PROCESSOR", processor.PROCESSORS[machine])
    for path in libraries(built, machine, tmp_path):
        wants = {node for wanted in elf.read(path).wants.values() for _, node in wanted}
        versions = [re.findall(r"\d+", node) for node in wants if node.startswith("GLIBC_")]
        assert versions, path
        assert max(tuple(map(int, version)) for version in versions) <= wheels.GLIBC, path


def test_both_machines_export_the_same(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports = {}
    for machine in MACHINES:
        monkeypatch.setattr(elf, "_PROCESSOR", processor.PROCESSORS[machine])
        found = libraries(built, machine, tmp_path / machine)
        exports[machine] = {
            str(path.relative_to(tmp_path / machine)): {
                (name, export.kind) for name, export in elf.read(path).exports.items()
            }
            for path in found
        }
    assert len(exports["x86_64"]) > 9
    assert exports["x86_64"] == exports["aarch64"]


def test_a_second_build_elsewhere_has_the_same_bytes(built: Path, clone: Path) -> None:
    if run("git", "status", "--porcelain"):
        pytest.skip("what is built here is not what is committed")
    run(sys.executable, "tools/wheels.py", "--out", clone / "dist", "x86_64", cwd=clone)
    for name in (f"{NAME}.tar.gz", wheel(built, "x86_64").name):
        assert (clone / "dist" / name).read_bytes() == (built / name).read_bytes(), name


def test_the_source_builds_where_there_is_a_compiler(built: Path, tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", tmp_path, built / f"{NAME}.tar.gz", cwd=tmp_path, PIP_CONSTRAINT="")
    (made,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        assert "giveway/lib/libgiveway-cuda.so" in archive.namelist()


def test_an_empty_environment_without_a_compiler_can_use_it(built: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    folder = tmp_path / "venv" / "bin"
    constraints = str(ROOT / "constraints.txt")
    made = wheel(built, "x86_64")
    run(folder / "pip", "install", "--quiet", made, cwd=tmp_path, PIP_CONSTRAINT=constraints)
    alone = {"PATH": str(folder), "GIVEWAY_DIR": str(tmp_path / "pages"), "PYTHONPATH": ""}
    said = run(folder / "giveway", "--version", cwd=tmp_path, **alone)
    assert said == f"giveway {giveway.version.__version__}\n"
    code = "import os; print('libgiveway-cpu' in open('/proc/self/maps').read())"
    options = ("--device", "cpu", "--", "python", "-c", code)
    assert run(folder / "giveway", "run", *options, cwd=tmp_path, **alone) == "True\n"


QEMU = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")


def test_the_assembly_for_aarch64_under_an_emulator() -> None:
    """Stack, vector and variadic arguments, first calls from eight threads, and look-ups.

    qemu-user lacks robust locks and ends programs that fork beside threads: the tests of the gate
    need a real machine.
    """
    folder = ROOT / "build" / "aarch64"
    binaries = Path(sys.executable).parent
    run(
        *(binaries / "cmake", "-G", "Ninja", "-S", ".", "-B", folder, "-DGIVEWAY_TESTS=ON"),
        f"-DCMAKE_MAKE_PROGRAM={binaries / 'ninja'}",
        f"-DCMAKE_TOOLCHAIN_FILE={ROOT / 'tools' / 'zig.cmake'}",
        *(f"-DGIVEWAY_ZIG={wheels.ZIG}", "-DGIVEWAY_MACHINE=aarch64"),
    )
    run(binaries / "cmake", "--build", folder)
    if QEMU is None or not Path("/usr/aarch64-linux-gnu/lib").exists():
        pytest.skip("no qemu-user with a C library for aarch64 (qemu-user, libc6-arm64-cross)")
    only = "_(forward|lookup|library|find|open)"
    said = run(binaries / "ctest", "--test-dir", folder, "-R", only, "--output-on-failure")
    assert "100% tests passed" in said
