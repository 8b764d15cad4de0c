"""Runs programs on AMD's runtimes over the stand-in HSA runtime of native/fake/hsa.

What comes out is simulated: no kernel is executed, and each takes the time that it is told to.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.rocm.packages import RELEASES, Release, Runtime, UnavailableError, fetch

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = os.environ.get("GIVEWAY_ROCM", "")
SHIMS: Final = Path(os.environ.get("GIVEWAY_HIP_SHIMS", ROOT / "build/native/native/gpu/hip"))
FAKES: Final = ROOT / "native/fake"
PROGRAMS: Final = ROOT / "native/programs"
OF_RUNTIME: Final = "__amd_rocclr_"
"""How the names of the kernels begin by which the runtime itself copies and fills."""

COMPILER: Final = (
    "cc",
    "-std=gnu11",
    "-D_GNU_SOURCE",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pthread",
)


class Seen(NamedTuple):
    """The calls of a program, as the stand-in and the shim recorded them."""

    output: str
    dispatched: Counter[str]
    """Kernels that reached a queue, by name."""
    launched: Counter[str]
    """Kernels whose launch passed the shim, by name; empty without the shim."""
    calls: dict[str, int]
    tasks: list[dict[str, Any]]

    @property
    def by_runtime(self) -> int:
        """Kernels by which the runtime itself copied and filled."""
        kinds = ("copy", "fill")
        kernels = self.dispatched.items()
        return sum(
            n for name, n in kernels if name.startswith(tuple(OF_RUNTIME + k for k in kinds))
        )

    @property
    def by_program(self) -> Counter[str]:
        """Kernels that the program or one of its libraries requested."""
        kernels = self.dispatched.items()
        return Counter({name: n for name, n in kernels if not name.startswith(OF_RUNTIME)})


def need(release: Release) -> Runtime:
    """The unpacked release. Skips the test where the release is not available."""
    try:
        return fetch(release, Path(FOLDER).resolve())
    except UnavailableError as error:
        pytest.skip(f"{release.name or release.version}: {error}")


def build_hsa(runtime: Runtime, folder: Path) -> Path:
    """A folder with the stand-in, built over that release's headers."""
    # These alone: beside them are a C library's, and not this machine's.
    (folder / "hsa").symlink_to(runtime.root / "usr/include/hsa")
    headers = ["-isystem", str(folder)]
    shared = [*COMPILER, "-fPIC", "-shared"]
    hsa, smi = folder / "libhsa-runtime64.so.1", folder / "librocm_smi64.so.1"
    sources = [
        *sorted(map(str, FAKES.glob("hsa/*.c"))),
        *(str(FAKES / "engine" / name) for name in ("share.c", "beside.c")),
    ]
    named = [f"-Wl,-soname,{hsa.name}", f"-Wl,--version-script,{FAKES}/hsa/exports.map"]
    subprocess.run([*shared, *headers, *named, "-o", str(hsa), *sources], check=True)
    named = [f"-Wl,-soname,{smi.name}"]
    subprocess.run([*shared, *named, "-o", str(smi), str(FAKES / "rsmi/smi.c")], check=True)
    return folder


def build(runtime: Runtime, source: str, to: Path, *options: str) -> Path:
    """A program of native/programs, or one by its path, linked with that runtime."""
    generation = runtime.library.name.rpartition(".")[2]
    libraries = [f"-L{runtime.folders[0]}", f"-l:{runtime.library.name}"]
    libraries += ["-Wl,--allow-shlib-undefined", "-ldl"]
    defined = [f"-DGENERATION={generation}", *options]
    files = ["-o", str(to), str(PROGRAMS / source)]
    subprocess.run([*COMPILER, *defined, *files, *libraries], check=True)
    return to


def build_kernels(hsa: Path, folder: Path) -> Path:
    """A code object for the stand-in's GPU, from the compiler in 6.4.3."""
    runtime = need(RELEASES[2])
    program = build(runtime, "hip_kernels.c", folder / "compile")
    code = folder / "kernels.co"
    run(runtime, hsa, folder, [str(program), str(code)], gated=False)
    return code


def variables(runtime: Runtime, hsa: Path, folder: Path, gated: bool) -> dict[str, str]:
    """The environment of a program; the shim that of the runtime's generation."""
    libraries = (hsa, *runtime.folders, *(runtime.folders[0] / name for name in ("blas",)))
    env = {
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "GIVEWAY_DIR": str(folder / "pages"),
        "GIVEWAY_FAKE_DIR": str(folder),
        "GIVEWAY_FAKE_HSA_LOG": str(folder / "dispatches"),
        "GIVEWAY_TRACE": str(folder / "trace"),
        "HOME": str(folder),
    }
    if gated:
        env["LD_PRELOAD"] = str(SHIMS / runtime.library.name)
    return env


def run(
    runtime: Runtime,
    hsa: Path,
    folder: Path,
    command: Sequence[str],
    gated: bool = True,
    more: Mapping[str, str] | None = None,
) -> Seen:
    """Runs a program to its end, in a folder that nothing else has run in."""
    env = os.environ | variables(runtime, hsa, folder, gated) | dict(more or {})
    return finish(start(runtime, folder, command, env), folder)


def start(
    runtime: Runtime, folder: Path, command: Sequence[str], env: Mapping[str, str]
) -> subprocess.Popen[str]:
    """Starts a program with the C library that came with the runtime."""
    (folder / "trace").mkdir(exist_ok=True)
    return subprocess.Popen(
        [str(runtime.loader), *command],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], folder: Path, seconds: float = 300) -> Seen:
    """Waits for a program, which must end well."""
    try:
        output, errors = process.communicate(timeout=seconds)
    finally:
        process.kill()
    if "version `GLIBC_" in errors:
        pytest.skip("giveway was built with a newer C library than the runtime's")
    assert process.returncode == 0, output + errors
    return seen(folder, output)


def seen(folder: Path, output: str) -> Seen:
    """What all programs that ran in the folder did."""
    log = folder / "dispatches"
    lines = log.read_text().splitlines() if log.exists() else []
    launched: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    tasks = []
    for path in (folder / "trace").glob("*"):
        said = json.loads(path.read_text())
        for kernel in said.get("kernels", ()):
            launched[kernel["name"]] += kernel["launches"]
        calls.update(said.get("calls", {}))
        tasks += said["tasks"]
    return Seen(output, Counter(line.split(" ", 1)[1] for line in lines), launched, calls, tasks)
