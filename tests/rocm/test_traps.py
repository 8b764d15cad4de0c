"""Unusual ways to load or call the runtime, which the shim must handle, on AMD's runtimes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rocm import stand_in
from tests.rocm.packages import RELEASES, Runtime
from tests.rocm.stand_in import FOLDER, ROOT, SHIMS, Seen

pytestmark = pytest.mark.skipif(not FOLDER, reason="downloads AMD's runtimes: say make test-rocm")

Below = Callable[[Runtime], Path]


def runtimes(seen: Seen) -> list[Path]:
    """In the process of hip_open."""
    return sorted(Path(line).resolve() for line in seen.output.split())


@pytest.fixture
def opener(runtime: Runtime, tmp_path: Path) -> Path:
    """hip_open for that runtime."""
    return stand_in.build(runtime, "hip_open.c", tmp_path / "open")


def test_a_runtime_that_is_opened_by_its_soname_is_gated(
    runtime: Runtime, opener: Path, below: Below, kernels: Path, tmp_path: Path
) -> None:
    command = [str(opener), str(kernels), runtime.library.name]
    seen = stand_in.run(runtime, below(runtime), tmp_path, command)
    assert seen.by_program == seen.launched == {"by_handle": 3 + 4}
    real = runtime.library.resolve()
    assert runtimes(seen) == sorted([SHIMS / runtime.library.name, real])


@pytest.mark.parametrize("name", ["libamdhip64.so", "absolute"])
def test_a_runtime_that_is_opened_by_another_name_escapes(
    name: str, runtime: Runtime, opener: Path, below: Below, kernels: Path, tmp_path: Path
) -> None:
    """As docs/guides/amd.md says. It is no second runtime; what the program links to stays gated.

    That the stand-in shows what the shim has missed is the other thing that this is a test of.
    """
    hsa = below(runtime)
    (link := tmp_path / "libamdhip64.so").symlink_to(runtime.library)
    path = stand_in.variables(runtime, hsa, tmp_path, gated=True)["LD_LIBRARY_PATH"]
    more = {"LD_LIBRARY_PATH": f"{tmp_path}:{path}"}
    given = str(runtime.library) if name == "absolute" else link.name
    seen = stand_in.run(runtime, hsa, tmp_path, [str(opener), str(kernels), given], more=more)
    assert seen.by_program == {"by_handle": 3 + 4}
    assert seen.launched == {"by_handle": 3}
    real = runtime.library.resolve()
    assert runtimes(seen) == sorted([SHIMS / runtime.library.name, real])


def test_every_look_up_gives_the_hook(runtime: Runtime, below: Below, tmp_path: Path) -> None:
    """By dlsym, and by the runtime's own functions: they open libamdhip64.so to look into."""
    hooks = f'-DHOOKS="{ROOT}/native/gpu/hip/hooks.txt"'
    source = f"{ROOT}/native/tests/hip/test_hip_lookup.c"
    program = stand_in.build(runtime, source, tmp_path / "lookup", hooks, f"-I{stand_in.FAKES}/api")
    (tmp_path / "libamdhip64.so").symlink_to(runtime.library)
    path = stand_in.variables(runtime, below(runtime), tmp_path, gated=True)["LD_LIBRARY_PATH"]
    more = {"LD_LIBRARY_PATH": f"{tmp_path}:{path}"}
    seen = stand_in.run(runtime, below(runtime), tmp_path, [str(program)], more=more)
    assert seen.output.endswith("escaped 0, wrong 0\n")


@pytest.mark.parametrize("lookups", [False, True], ids=["linked", "opened"])
def test_a_wheel_that_brings_its_own(
    lookups: bool, runtime: Runtime, below: Below, kernels: Path, tmp_path: Path
) -> None:
    """As PyTorch's: of another SONAME, and found by an RPATH that nothing overrides."""
    wheel = tmp_path / "wheel"
    wheel.mkdir()
    bundled = wheel / "libamdhip64.so"
    old, new = runtime.library.name.encode() + b"\0", b"libamdhip64.so\0\0\0"
    content = runtime.library.read_bytes()
    assert old in content
    bundled.write_bytes(content.replace(old, new))
    forced = ["-Wl,--disable-new-dtags,-rpath,$ORIGIN", str(bundled)]
    generation = runtime.library.name.rpartition(".")[2]
    program = wheel / "program"
    source = str(stand_in.PROGRAMS / "hip_open.c")
    compile_ = [*stand_in.COMPILER, f"-DGENERATION={generation}", "-o", str(program), source]
    subprocess.run([*compile_, *forced, "-Wl,--allow-shlib-undefined", "-ldl"], check=True)

    command = [str(program), str(kernels)]
    plain, gated = tmp_path / "plain", tmp_path / "gated"
    plain.mkdir()
    gated.mkdir()
    hsa = below(runtime)
    # What else there is of that runtime must not come in; its own libraries are needed.
    alone = stand_in.run(runtime, hsa, plain, command, gated=False)
    assert runtimes(alone) == [bundled]
    if lookups:
        command.append(runtime.library.name)
    seen = stand_in.run(runtime, hsa, gated, command)
    assert runtimes(seen) == sorted([SHIMS / runtime.library.name, bundled])
    assert seen.by_program == seen.launched == {"by_handle": 7 if lookups else 3}


def test_a_runtime_that_asks_for_an_executable_stack(tmp_path: Path) -> None:
    """5.2.3 does; a newer C library gives it to what a program links to, but not to what is opened.

    So the shim cannot open it, and says what the loader said; with the tunable it can.
    """
    old, new = stand_in.need(RELEASES[0]), stand_in.need(RELEASES[2])
    program = stand_in.build(old, "hip_codes.c", tmp_path / "codes")
    env = dict(os.environ)
    env["LD_LIBRARY_PATH"] = ":".join(map(str, (*new.folders, *old.folders)))
    env["GIVEWAY_DIR"] = str(tmp_path / "pages")

    def said(**more: str) -> tuple[list[str], list[str]]:
        done = subprocess.run(
            [str(new.loader), str(program)],
            env=env | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if "version `GLIBC_" in done.stderr:
            pytest.skip("giveway was built with a newer C library than the runtime's")
        assert done.returncode == 0, done.stderr
        lines = done.stderr.splitlines()
        return done.stdout.splitlines(), [line for line in lines if "giveway" in line]

    shim = str(SHIMS / old.library.name)
    alone, _ = said()
    under, warnings = said(LD_PRELOAD=shim)
    (warning,) = (line for line in warnings if line.startswith("giveway"))
    assert "executable stack" in warning
    # Without a runtime every call says that there is no device: no crash, and no wrong answer.
    codes = {line.partition(" = ")[2].partition(",")[0] for line in under if " = " in line}
    assert codes <= {"0", "100"}
    tuned, warnings = said(LD_PRELOAD=shim, GLIBC_TUNABLES="glibc.rtld.execstack=2")
    assert tuned == alone
    assert [line for line in warnings if line.startswith("giveway")] == []
    shutil.rmtree(tmp_path / "pages", ignore_errors=True)
