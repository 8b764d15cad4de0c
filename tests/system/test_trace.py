"""`giveway trace` on the cpu device; tests/system/test_cuda.py has it on a GPU."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from giveway.observe import tasks
from giveway.sched.task import Task
from tests.conftest import GIVEWAY, Runner, Spawner, one_line
from tests.system.conftest import Regions
from tests.system.watching import catches
from tests.waiting import eventually


def test_a_cpu_programs_launches_are_its_regions(giveway: Runner, regions_program: str) -> None:
    done = giveway("trace", "--json", "-d", "cpu", "-p", "4", "--", regions_program, "50")
    assert (done.returncode, done.stderr) == (0, "")
    ready, regions, *report = done.stdout.splitlines()
    assert (ready, regions) == ("ready", "50")
    (process,) = json.loads("\n".join(report))["processes"]
    assert (process["calls"], process["kernels"]) == ({}, [])
    (task,) = process["tasks"]
    assert (task["device"], task["priority"], task["is_thread"]) == ("cpu", 4, False)
    assert task["launches"] == 50
    assert task["held_ns"] == 0


def test_the_time_held_is_reported(
    spawn: Spawner, regions: Regions, regions_program: str, tmp_path: Path
) -> None:
    urgent = regions("-d", "cpu", "-p", "10").pid
    report = tmp_path / "report.json"
    trace = ("trace", "--json", "-o", str(report), "-d", "cpu", "--", regions_program)
    process = spawn(GIVEWAY, *trace)
    others: list[Task] = []

    def is_held() -> bool:
        others[:] = [task for task in tasks.read() if task.pid != urgent]
        return others[0].held_seconds > 0.3

    assert eventually(is_held)
    process.communicate(timeout=60)  # its stdin ends
    (traced,) = json.loads(report.read_text())["processes"]
    (task,) = traced["tasks"]
    assert task["holds"] >= 1
    assert task["held_ns"] >= others[0].held_seconds * 1e9


def test_a_signal_to_trace_is_one_to_the_program(spawn: Spawner) -> None:
    program = "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    process = spawn(GIVEWAY, "trace", "-d", "cpu", "--", "sh", "-c", program)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert eventually(lambda: catches(process.pid, signal.SIGTERM))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 7
    assert process.stdout.readline() == "caught\n"


def test_a_file_that_cannot_be_written_is_said_before_the_program_runs(
    giveway: Runner, tmp_path: Path
) -> None:
    for option in ("--output", "--perfetto"):
        done = giveway("trace", option, str(tmp_path / "no" / "file"), "--", "echo", "ran")
        assert (done.returncode, done.stdout) == (2, "")
        assert "no/file" in one_line(done.stderr)


def test_a_program_that_cannot_be_started_has_no_report(giveway: Runner, tmp_path: Path) -> None:
    for options in ((), ("--perfetto", str(tmp_path / "calls"))):
        done = giveway("trace", *options, "-d", "cpu", "--", "/no/such")
        assert (done.returncode, done.stdout) == (127, "")
        assert one_line(done.stderr) == "giveway: /no/such: no such file"


def test_a_program_that_ends_with_127_has_a_report(giveway: Runner) -> None:
    done = giveway("trace", "-d", "cpu", "--", "sh", "-c", "exit 127")
    assert (done.returncode, done.stderr) == (127, "")
    assert "No process used the device" in done.stdout


def test_a_signal_that_comes_at_once_is_one_to_the_program_too() -> None:
    """Before trace has seen that the program runs."""
    code = (
        "import os, signal, subprocess, sys\n"
        "from giveway.cli import main\n"
        "class Signalled(subprocess.Popen):\n"
        "    def __init__(self, *arguments, **options):\n"
        "        super().__init__(*arguments, **options)\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "subprocess.Popen = Signalled\n"
        "sys.argv[1:] = ['trace', '--', 'sleep', '1000']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert "No process used the device" in done.stdout
