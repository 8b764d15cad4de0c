"""Programs on a real GPU that are clients of NVIDIA's multi-process service: kills and faults."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from giveway.devices import mps
from tests.conftest import GIVEWAY, Spawner
from tests.waiting import eventually

PROGRAM = str(Path(__file__).with_name("mps_program.py"))

pytestmark = pytest.mark.skipif(shutil.which(mps.CONTROL) is None, reason="MPS is not installed")


def giveway(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GIVEWAY, *args], capture_output=True, text=True, timeout=120, check=False
    )


def tasks() -> dict[str, dict[str, object]]:
    found = json.loads(giveway("ps", "--json").stdout)["tasks"]
    return {str(task["name"]): task for task in found}


def launches(name: str) -> int:
    return int(str(tasks().get(name, {}).get("launches", 0)))


def go_on(*names: str) -> bool:
    """Whether all these tasks launch."""
    before = {name: launches(name) for name in names}
    return eventually(lambda: all(launches(each) > before[each] + 100 for each in names), 60)


@pytest.fixture(autouse=True)
def daemon(pages_in_memory: Path) -> Iterator[None]:
    started = giveway("mps", "start")
    assert started.returncode == 0, started.stderr
    yield
    giveway("mps", "stop", "--force")


def run(spawn: Spawner, name: str, priority: int, *command: str) -> subprocess.Popen[str]:
    options = ("--device", "cuda", "--name", name, "--priority", str(priority))
    return spawn(GIVEWAY, "run", *options, "--", *command)


def work(spawn: Spawner, name: str, priority: int, *words: str) -> subprocess.Popen[str]:
    """A program that computes without a pause, once it does."""
    process = run(spawn, name, priority, sys.executable, PROGRAM, *words)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def hold(spawn: Spawner, burst: str) -> subprocess.Popen[str]:
    """An urgent program that holds all others."""
    process = run(spawn, "high", 10, burst, "hold", "60", "200", "1")
    assert eventually(lambda: tasks().get("low", {}).get("state") == "held", 60)
    return process


def test_programs_are_its_clients(spawn: Spawner) -> None:
    low = work(spawn, "low", 0)
    daemon = mps.find(os.environ)
    assert daemon is not None
    assert low.pid in daemon.clients()
    assert "MPS runs" in giveway("ps").stderr


def test_a_killed_urgent_program_holds_nobody(spawn: Spawner, burst: str) -> None:
    work(spawn, "low", 0)
    hold(spawn, burst).send_signal(signal.SIGKILL)
    assert go_on("low")


def test_a_held_program_that_is_killed_stops_nobody(spawn: Spawner, burst: str) -> None:
    low = work(spawn, "low", 0)
    work(spawn, "other", 0)
    high = hold(spawn, burst)
    low.send_signal(signal.SIGKILL)
    assert eventually(lambda: "low" not in tasks())
    assert high.poll() is None
    high.send_signal(signal.SIGKILL)
    assert go_on("other")
    work(spawn, "next", 0)
    assert go_on("next")


def test_a_running_program_that_is_killed_stops_nobody(spawn: Spawner) -> None:
    low = work(spawn, "low", 0)
    work(spawn, "other", 0)
    low.send_signal(signal.SIGKILL)
    assert eventually(lambda: "low" not in tasks())
    assert go_on("other")


def test_a_fault_of_one_ends_the_work_of_all(spawn: Spawner) -> None:
    """Shared fate, as docs/guides/mps.md says. What comes after starts as if nothing had been."""
    other = work(spawn, "other", 0)
    faulty = work(spawn, "faulty", 0, "fault")
    faulty.communicate("\n", timeout=60)
    assert faulty.returncode == 3
    out, _ = other.communicate(timeout=60)
    assert other.returncode == 3, out[-500:]
    assert eventually(lambda: not tasks())
    work(spawn, "next", 0)
    assert go_on("next")


def test_programs_start_without_a_daemon_that_was_killed(spawn: Spawner) -> None:
    work(spawn, "low", 0)
    daemon = mps.find(os.environ)
    assert daemon is not None
    assert daemon.pid is not None
    os.kill(daemon.pid, signal.SIGKILL)
    assert eventually(lambda: mps.find(os.environ) is None)
    work(spawn, "next", 0)
    assert go_on("next")
    for server in daemon.servers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL)


@pytest.mark.parametrize(("connections", "others"), [("1", 4), ("8", 4), ("32", 0)])
def test_held_work_does_not_block_the_queues_of_others(
    spawn: Spawner, burst: str, monkeypatch: pytest.MonkeyPatch, connections: str, others: int
) -> None:
    """A held stream waits for a word of memory, in a hardware queue of which a client has few.

    All clients together have only so many: with 32 each, a fifth one gets none.
    """
    monkeypatch.setenv("CUDA_DEVICE_MAX_CONNECTIONS", connections)
    held = [run(spawn, f"low{n}", 0, burst, "other", "60", "200", "50") for n in range(others)]
    work(spawn, "low", 0)
    hold(spawn, burst)
    run(spawn, "urgent", 10, burst, "other", "60", "20", "10")
    assert eventually(lambda: "urgent" in tasks(), 60)
    assert go_on("urgent")
    assert all(each.poll() is None for each in held)
