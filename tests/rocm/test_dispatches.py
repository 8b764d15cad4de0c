"""Every kernel that reaches a hardware queue was a launch that the shim saw.

The runtimes and libraries are AMD's own, unmodified. What is below them is simulated: queues count
the kernels that they take, by name, and execute none. The shim counts launches by name as well,
by another way: it asks the runtime what the function is called that a program launches.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rocm import stand_in
from tests.rocm.chroot import run_inside
from tests.rocm.packages import (
    LIBRARIES,
    Runtime,
    UnavailableError,
    fetch_triton,
)
from tests.rocm.stand_in import FOLDER, OF_RUNTIME, Seen

pytestmark = pytest.mark.skipif(not FOLDER, reason="downloads AMD's runtimes: say make test-rocm")

Below = Callable[[Runtime], Path]


def assert_all_were_seen(seen: Seen) -> None:
    """Of a program without graphs; the runtime's own kernels are the copies' and memsets'."""
    assert seen.by_program
    assert seen.by_program == seen.launched
    counted = seen.calls["launches"] + seen.calls["legacy_launches"]
    assert counted == seen.by_program.total() + seen.calls["failures"]
    assert seen.by_runtime <= seen.calls["copies"] + seen.calls["memsets"]
    (task,) = seen.tasks
    assert task["launches"] == counted + seen.calls["copies"] + seen.calls["memsets"]


def test_every_way_to_launch(runtime: Runtime, below: Below, kernels: Path, tmp_path: Path) -> None:
    """Also a kernel by every name, on every kind of stream, and captured in a graph."""
    # The one launch that 5.7 no longer has.
    program = stand_in.build(runtime, "hip_dispatches.c", tmp_path / "program", "-DWITHOUT_GGL")
    command = [str(program), str(kernels)]
    plain, gated = tmp_path / "plain", tmp_path / "gated"
    plain.mkdir()
    gated.mkdir()
    alone = stand_in.run(runtime, below(runtime), plain, command, gated=False)
    assert alone.launched == {}
    seen = stand_in.run(runtime, below(runtime), gated, command)
    assert seen.output == alone.output
    assert seen.dispatched == alone.dispatched

    must = json.loads(seen.output)
    assert seen.by_program == must
    # What is captured is launched by the graph: three times.
    assert must["of_graph"] == 3 * 5
    # Launches on several devices at once do not say in an argument which kernels they launch.
    must["?"] = must.pop("other")
    assert seen.launched == must | {"of_graph": 5}
    assert seen.calls["graph_launches"] == 3
    (task,) = seen.tasks
    gated_calls = sum(seen.calls[kind] for kind in ("graph_launches", "copies", "memsets"))
    launches = seen.launched.total() - 5
    assert task["launches"] == launches + gated_calls

    # What the runtime dispatched for itself: copies and memsets, the set-up of cooperative
    # launches, and a word that the program has the stream write, which is not gated.
    assert 0 < seen.by_runtime <= seen.calls["copies"] + seen.calls["memsets"]
    others = {n for n in seen.dispatched if n.startswith(OF_RUNTIME)}
    others = {n for n in others if not n.startswith((OF_RUNTIME + "copy", OF_RUNTIME + "fill"))}
    assert others <= {OF_RUNTIME + "gwsInit", OF_RUNTIME + "streamOpsWrite"}
    assert seen.dispatched[OF_RUNTIME + "gwsInit"] <= must["by_address"] + must["by_handle"]
    assert seen.dispatched[OF_RUNTIME + "streamOpsWrite"] == 1


@pytest.mark.parametrize(
    "command",
    [
        "libhipblaslt1-bench/hipblaslt-bench -m 128 -n 128 -k 128 --iters 20 --cold_iters 2",
        "libhipblaslt1-bench/hipblaslt-bench -m 64 -n 96 -k 32 --batch_count 3 --transA T "
        "--iters 5 --cold_iters 2 --use_gpu_timer",
        "librocblas4-bench/rocblas-bench -f gemm -r s -m 128 -n 128 -k 128 -i 20 -j 2",
        "librocblas4-bench/rocblas-bench -f dot -r s -n 100000 -i 20 -j 2",
        "librocblas4-bench/rocblas-bench -f gemv -r s -m 256 -n 256 --lda 256 -i 5 -j 1",
        "librocblas4-bench/rocblas-bench -f gemm_strided_batched -r d -m 64 -n 64 -k 64 "
        "--batch_count 4 -i 5 -j 1",
    ],
    ids=["hipblaslt", "hipblaslt-batched", "gemm", "dot", "gemv", "gemm-batched"],
)
def test_blas_libraries(command: str, below: Below, tmp_path: Path) -> None:
    runtime = stand_in.need(LIBRARIES)
    program, *arguments = command.split()
    path = str(runtime.root / "usr/libexec/rocm" / program)
    assert_all_were_seen(stand_in.run(runtime, below(runtime), tmp_path, [path, *arguments]))


@pytest.mark.parametrize(
    "command",
    ["conv -n 1 -c 3 -H 16 -W 16 -k 4 -y 3 -x 3 -F 1 -t 1", "layernorm -F 1"],
    ids=["convolution", "layernorm"],
)
def test_miopen(command: str, below: Below, tmp_path: Path) -> None:
    runtime = stand_in.need(LIBRARIES)
    program = "/usr/libexec/rocm/libmiopen1-tests/MIOpenDriver"
    arguments = [program, *command.split(), "-V", "0", "-i", "3"]
    more = {
        # It takes no algorithm that was done in no time at all.
        "GIVEWAY_FAKE_KERNEL_NS": "20000",
        # Needs MIOpen's own compiler for OpenCL, which Debian's package lacks.
        "MIOPEN_DEBUG_CONV_GEMM": "0",
        # -isystem /usr/include, as MIOpen has it, hides the C library's headers from C++'s.
        "CCC_OVERRIDE_OPTIONS": "# s/^-isystem$/-idirafter/",
    }
    seen = run_inside(runtime, below(runtime), tmp_path, arguments, more)
    assert_all_were_seen(seen)


@pytest.mark.parametrize("bundled", [False, True], ids=["system", "bundled"])
def test_triton(bundled: bool, below: Below, tmp_path: Path) -> None:
    """Its own compiler and driver, which takes every function by hipGetProcAddress.

    That one opens libamdhip64.so, a name that Debian has in a package for developers. Where AMD's
    Python packages bring a runtime, Triton refuses to run beside another one, unless it is told so,
    as `giveway run` does.
    """
    try:
        triton = fetch_triton(Path(FOLDER).resolve())
    except UnavailableError as error:
        pytest.skip(f"triton: {error}")
    runtime = stand_in.need(LIBRARIES)
    shim = stand_in.SHIMS / runtime.library.name
    # The interpreter is this machine's. The compiler that it starts must find its own libraries.
    env = os.environ | stand_in.variables(runtime, below(runtime), tmp_path, gated=True)
    env["PYTHONPATH"] = f"{triton}:{tmp_path}"
    env["TRITON_CACHE_DIR"] = str(tmp_path / "cache")
    env["GIVEWAY_HIP_LIBRARY"] = str(runtime.library)
    if bundled:
        found = f"def find_libraries(name): return [{str(runtime.library)!r}]\n"
        (tmp_path / "rocm_sdk.py").write_text(found)
        env["TRITON_LIBHIP_PATH"] = str(shim)
    path = env.pop("LD_LIBRARY_PATH")
    python = ["--library-path", path, "--argv0", sys.executable, os.path.realpath(sys.executable)]
    program = str(Path(__file__).with_name("triton_program.py"))
    process = stand_in.start(runtime, tmp_path, [*python, program, "7"], env)
    seen = stand_in.finish(process, tmp_path)
    assert seen.output.split() == [str(shim)]
    assert seen.by_program == Counter(add_one=7)
    assert_all_were_seen(seen)
