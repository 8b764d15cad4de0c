"""Where the references of AMD's libraries to the runtime go when the shim is in.

As the loader itself reports it, with every reference bound at the start. All go to the shim, hooked
or not: it has every symbol of the runtime, in its version node. What is not hooked is a jump from
there to the one real runtime of the process.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.rocm import stand_in
from tests.rocm.chroot import run_inside
from tests.rocm.packages import LIBRARIES, Runtime
from tests.rocm.stand_in import FOLDER, ROOT, SHIMS

pytestmark = pytest.mark.skipif(not FOLDER, reason="downloads AMD's runtimes: say make test-rocm")

Below = Callable[[Runtime], Path]
HOOKS = ROOT / "native/gpu/hip/hooks.txt"


class Binding(NamedTuple):
    """A reference, as the loader has bound it; files by their last names."""

    origin: str
    target: str
    symbol: str
    node: str
    """Empty for a function that was looked up by dlsym."""


class Log(NamedTuple):
    """The loader's log of a program."""

    bindings: set[Binding]
    loaded: set[str]
    """Paths."""


def read_log(folder: Path) -> Log:
    """The log of the program that used HIP. Its child processes have logs of their own."""
    texts = [path.read_text(errors="replace") for path in folder.glob("loader.*")]
    (text,) = [text for text in texts if "libhsa-runtime64" in text]
    found = re.findall(
        r"binding file (\S+) \[0\] to (\S+) \[0\]: normal symbol `(\w+)'(?: \[(\S+)\])?", text
    )
    bindings = {Binding(Path(a).name, b, symbol, node) for a, b, symbol, node in found}
    return Log(bindings, set(re.findall(r"calling init: (\S+)", text)))


def references(library: Path) -> set[tuple[str, str]]:
    """(name, version node) of everything that a library wants of the runtime."""
    said = subprocess.run(
        ["readelf", "--dyn-syms", "--wide", str(library)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r" UND (\w+)@(hip_[\d.]+)", said.stdout))


def hooked() -> set[str]:
    """Names of the hook list, and of their variants for per-thread streams."""
    rows = (line.split() for line in HOOKS.read_text().splitlines())
    names = {row[0] for row in rows if row and row[0] != "#"}
    return names | {f"{name}_spt" for name in names}


@pytest.mark.parametrize(
    ("library", "program"),
    [
        ("libhipblaslt.so.1", "libhipblaslt1-bench/hipblaslt-bench -m 64 -n 64 -k 64 --iters 1"),
        ("librocblas.so.4", "librocblas4-bench/rocblas-bench -f axpy -r s -n 100 -i 1"),
        ("libMIOpen.so.1", "libmiopen1-tests/MIOpenDriver layernorm -F 1 -V 0 -i 1"),
    ],
    ids=["hipblaslt", "rocblas", "miopen"],
)
def test_every_reference_binds_to_the_shim(
    library: str, program: str, below: Below, tmp_path: Path
) -> None:
    runtime = stand_in.need(LIBRARIES)
    more = {
        "LD_DEBUG": "bindings,files",
        "LD_DEBUG_OUTPUT": str(tmp_path / "loader"),
        "LD_BIND_NOW": "1",
        "CCC_OVERRIDE_OPTIONS": "# s/^-isystem$/-idirafter/",
    }
    command = f"/usr/libexec/rocm/{program}".split()
    run_inside(runtime, below(runtime), tmp_path, command, more)
    log = read_log(tmp_path)
    shim = str(SHIMS / runtime.library.name)
    real = f"/lib/x86_64-linux-gnu/{runtime.library.name}"

    wanted = references(runtime.folders[0] / library)
    assert len(wanted) > 20
    assert {name for name, _ in wanted} & hooked()
    assert {name for name, _ in wanted} - hooked()
    bound = {binding for binding in log.bindings if binding.origin == library and binding.node}
    bound = {binding for binding in bound if binding.node.startswith("hip_")}
    assert {(binding.symbol, binding.node) for binding in bound} == wanted
    assert {binding.target for binding in bound} == {shim}

    # There is one runtime, and the shim resolves its symbols there.
    runtimes = {path for path in log.loaded if Path(path).name.startswith("libamdhip64")}
    assert runtimes == {shim, real}
    names = {name for name, _ in wanted}
    asked = {binding for binding in log.bindings if not binding.node and binding.symbol in names}
    assert len({binding.symbol for binding in asked}) > 5
    assert {binding.target for binding in asked} == {real}


def test_the_runtime_comes_back_to_the_shim(below: Below, tmp_path: Path) -> None:
    """The runtime calls by its own PLT. The shim must recognise such calls and count them once."""
    runtime = stand_in.need(LIBRARIES)
    path = runtime.root / "usr/libexec/rocm/librocblas4-bench/rocblas-bench"
    more = {
        "LD_DEBUG": "bindings,files",
        "LD_DEBUG_OUTPUT": str(tmp_path / "loader"),
        "LD_BIND_NOW": "1",
    }
    command = [str(path), *["-f", "axpy", "-r", "s", "-n", "100", "-i", "1"]]
    stand_in.run(runtime, below(runtime), tmp_path, command, more=more)
    bindings = read_log(tmp_path).bindings
    own = {b for b in bindings if b.origin == runtime.library.name and b.node.startswith("hip_")}
    assert {b.target for b in own} == {str(SHIMS / runtime.library.name)}
    assert {"hipModuleLaunchKernel", "hipMemcpyAsync"} <= {b.symbol for b in own} & hooked()
