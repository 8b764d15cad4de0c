"""NVIDIA's own Python bindings as a client: the shim over the fake driver. No GPU is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.fake_gpu import NATIVE, UUID
from tests.system.watching import goes_on, tasks
from tests.waiting import eventually
from tools import generate_shim

PROGRAM = (sys.executable, str(Path(__file__).with_name("bindings_program.py")))
PER_THREAD = {"CUDA_PYTHON_CUDA_PER_THREAD_DEFAULT_STREAM": "1"}


@pytest.mark.parametrize("streams", ["legacy", "per_thread"])
def test_trace_counts_what_the_program_counts(
    giveway: Runner, cuda: Path, tmp_path: Path, streams: str
) -> None:
    report = tmp_path / "report.json"
    done = giveway(
        *("trace", "--json", "-o", str(report), "--", *PROGRAM, "everything", streams),
        env=PER_THREAD if streams == "per_thread" else {},
    )
    assert (done.returncode, done.stderr) == (0, "")
    asked = json.loads(done.stdout)
    (process,) = json.loads(report.read_text())["processes"]
    counted = {name: n for name, n in process["calls"].items() if n and name != "sync_ns"}
    assert counted == asked
    assert asked["legacy_launches"] == (10 if streams == "legacy" else 5)
    assert process["bytes"] == {"allocated": 3072, "freed": 3072, "peak": 3072}
    kernels = {kernel["name"]: kernel["launches"] for kernel in process["kernels"]}
    assert (kernels["ns_1000"], kernels["ns_2000"]) == (23, 5)
    (task,) = process["tasks"]
    recorded = 3  # launches into a capture pass; the graph is gated when it is launched
    work = ("launches", "legacy_launches", "graph_launches", "copies", "memsets")
    assert task["launches"] == sum(asked[kind] for kind in work) - recorded


@pytest.mark.parametrize("flags", [{}, PER_THREAD], ids=["legacy", "per_thread"])
def test_the_bindings_hold_the_hooks(giveway: Runner, cuda: Path, flags: dict[str, str]) -> None:
    done = giveway("run", "--", *PROGRAM, "functions", env=flags)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    folder = NATIVE / "shim" / "cuda"
    symbols = generate_shim.read_symbols(folder / "symbols.txt")
    hooks = generate_shim.match_hooks(
        folder / "hooks.txt", [symbol for symbol in symbols if not symbol.size]
    )
    escaped = {name: symbol for name, (file, symbol) in found.items() if "giveway" not in file}
    assert len(escaped) > 20  # what is not hooked comes from the driver itself
    assert [symbol for symbol in escaped.values() if symbol in hooks] == []
    held = {symbol for file, symbol in found.values() if "giveway-cuda" in file}
    suffix = "_ptsz" if flags else ""
    assert {f"cuLaunchKernel{suffix}", f"cuGraphLaunch{suffix}", "cuMemAlloc_v2"} <= held
    assert f"cuMemcpyDtoHAsync_v2{suffix}" in held


def test_the_less_urgent_of_two_is_held(giveway: Runner, spawn: Spawner, cuda: Path) -> None:
    def start(name: str, priority: str) -> subprocess.Popen[str]:
        run = (GIVEWAY, "run", "--device", "cuda", "--name", name, "--priority", priority)
        return spawn(
            *(*run, "--", *PROGRAM, "busy"),
            stdout=subprocess.DEVNULL,  # a pipe that nobody reads gets full
            env={"GIVEWAY_MAX_WAIT_MS": "0"},  # no turns
        )

    low = start("low", "0").pid
    assert eventually(lambda: tasks()["low"].launches > 100)
    high = start("high", "10")
    assert eventually(lambda: tasks()["low"].held_seconds > 0.3)
    listed = json.loads(giveway("ps", "--json").stdout)["tasks"]
    shown = {task["name"]: task for task in listed}
    assert shown["high"]["device"] == shown["low"]["device"] == UUID
    assert shown["high"]["held_seconds"] == 0
    assert eventually(lambda: tasks()["high"].launches > 20)
    assert shown["low"]["preemptions"] >= 1
    high.kill()
    high.wait()
    assert goes_on(low, 500, UUID)


def test_the_runtime_library_is_answered_as_without_giveway(giveway: Runner, cuda: Path) -> None:
    """It does not go on with a driver that is not NVIDIA's, with or without giveway."""
    done = giveway("run", "--device", "cuda", "--", *PROGRAM, "library")
    bare = subprocess.run(
        [*PROGRAM, "library"],
        env={**os.environ, "LD_LIBRARY_PATH": str(cuda)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, bare.stdout, "")
    codes = json.loads(bare.stdout)
    assert codes[0] == 0
    assert codes[1] != 0
