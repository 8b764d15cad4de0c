"""Two programs by turns on AMD's runtimes, with and without giveway: simulated.

What is real is the host's side: the runtime's queues, signals and threads, and the shim in front of
them. The device is one that both processes share, runs a kernel at a time for the 200 µs that its
name states, and takes turns of 2 ms.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.rocm import stand_in
from tests.rocm.packages import Runtime
from tests.rocm.stand_in import FOLDER

pytestmark = pytest.mark.skipif(not FOLDER, reason="downloads AMD's runtimes: say make test-rocm")

SECONDS = float(os.environ.get("GIVEWAY_ROCM_SECONDS", "2"))


class Shared(NamedTuple):
    """The output of both programs, and the shim's counts of the less urgent program."""

    urgent: dict[str, float]
    other: dict[str, float]
    held: dict[str, Any]


def share(
    runtime: Runtime, hsa: Path, folder: Path, program: list[str], gated: bool, beside: bool = True
) -> Shared:
    """Runs both; the urgent one while the other has work, or alone."""
    folder.mkdir()
    env = os.environ | stand_in.variables(runtime, hsa, folder, gated)

    def start(kind: str, seconds: float, priority: int) -> subprocess.Popen[str]:
        more = {"GIVEWAY_PRIORITY": str(priority), "GIVEWAY_NAME": kind}
        command = [*program, kind, str(seconds)]
        process = stand_in.start(runtime, folder, command, env | more)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    other = start("other", SECONDS + 1.5, 0) if beside else None
    urgent = stand_in.finish(start("urgent", SECONDS, 10), folder)
    rest = stand_in.finish(other, folder) if beside else None
    held = next((task for task in rest.tasks if task["name"] == "other"), {}) if rest else {}
    return Shared(json.loads(urgent.output), json.loads(rest.output) if rest else {}, held)


def test_the_other_program_gives_way(
    runtime: Runtime,
    below: Callable[[Runtime], Path],
    kernels: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An order, not a time: this machine may have other things to do."""
    program = [str(stand_in.build(runtime, "hip_burst.c", tmp_path / "burst")), str(kernels)]
    hsa = below(runtime)
    alone = share(runtime, hsa, tmp_path / "alone", program, gated=False, beside=False)
    native = share(runtime, hsa, tmp_path / "native", program, gated=False)
    gated = share(runtime, hsa, tmp_path / "gated", program, gated=True)
    with capsys.disabled():
        print(f"\nsimulated, {runtime.library.resolve().name}")
        for name, result in (("alone", alone), ("native", native), ("giveway", gated)):
            print(f"{name:8} urgent {json.dumps(result.urgent)} other {json.dumps(result.other)}")
    assert gated.urgent["p50_us"] < 0.9 * native.urgent["p50_us"]
    assert gated.held["holds"] > 10
    assert gated.held["held_ns"] > 0
    assert gated.other["kernels_per_s"] > 500


@pytest.mark.parametrize("source", ["hip_capture.c", "hip_threads.c"], ids=["captures", "threads"])
def test_programs_go_on_as_they_would(
    source: str,
    runtime: Runtime,
    below: Callable[[Runtime], Path],
    kernels: Path,
    tmp_path: Path,
) -> None:
    """Where somebody is more urgent the shim has events of its own and asks the runtime for them.

    None of that may end a capture, outlive a stream, or go on when the runtime has gone.
    """
    hsa = below(runtime)
    program = stand_in.build(runtime, source, tmp_path / "program")
    burst = stand_in.build(runtime, "hip_burst.c", tmp_path / "burst")
    env = os.environ | stand_in.variables(runtime, hsa, tmp_path, gated=True)

    def start(program: Path, priority: int, *arguments: str) -> subprocess.Popen[str]:
        more = {"GIVEWAY_PRIORITY": str(priority), "GIVEWAY_NAME": str(priority)}
        command = [str(program), str(kernels), *arguments]
        process = stand_in.start(runtime, tmp_path, command, env | more)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    urgent = start(burst, 10, "urgent", "4")
    try:
        seen = stand_in.finish(start(program, 0, "3"), tmp_path)
    finally:
        urgent.kill()
        urgent.communicate()
    assert int(seen.output) > 5
    (task,) = (task for task in seen.tasks if task["name"] == "0")
    assert task["holds"] > 10
