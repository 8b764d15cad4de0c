"""`giveway trace` on the cpu device; tests/system/test_cuda.py has it on a GPU."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.conftest import GIVEWAY, Runner, Spawner


def test_a_cpu_programs_launches_are_its_regions(giveway: Runner, regions_program: str) -> None:
    pipeline = f"sleep 2 | {regions_program}"  # stdin ends after so long
    done = giveway("trace", "--json", "-d", "cpu", "-p", "4", "--", "sh", "-c", pipeline)
    assert (done.returncode, done.stderr) == (0, "")
    ready, regions, *report = done.stdout.splitlines()
    assert ready == "ready"
    (process,) = json.loads("\n".join(report))["processes"]
    assert (process["calls"], process["kernels"]) == ({}, [])
    (task,) = process["tasks"]
    assert (task["device"], task["priority"], task["is_thread"]) == ("cpu", 4, False)
    assert task["launches"] == int(regions) > 10
    assert task["held_ns"] == 0


def test_the_time_held_is_reported(giveway: Runner, spawn: Spawner, regions_program: str) -> None:
    urgent = spawn(GIVEWAY, "run", "-d", "cpu", "-p", "10", "--", regions_program)
    assert urgent.stdout is not None
    assert urgent.stdout.readline() == "ready\n"
    pipeline = f"sleep 2 | {regions_program}"
    done = giveway("trace", "--json", "-d", "cpu", "--", "sh", "-c", pipeline)
    (process,) = json.loads(done.stdout[done.stdout.index("{") :])["processes"]
    (task,) = process["tasks"]
    assert task["holds"] >= 1
    assert task["held_ns"] > 300e6


def test_a_signal_to_trace_is_one_to_the_program(spawn: Spawner) -> None:
    program = "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    process = spawn(GIVEWAY, "trace", "-d", "cpu", "--", "sh", "-c", program)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 7
    assert process.stdout.readline() == "caught\n"


def test_a_file_that_cannot_be_written_is_said_before_the_program_runs(
    giveway: Runner, tmp_path: Path
) -> None:
    for option in ("--output", "--perfetto"):
        done = giveway("trace", option, str(tmp_path / "no" / "file"), "--", "echo", "ran")
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("giveway: ")
