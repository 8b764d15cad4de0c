"""`giveway park` and `unpark`, over the fake driver: no GPU is needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.fake_gpu import UUID
from tests.system.test_memory import Program
from tests.system.watching import goes_on, tasks
from tests.waiting import eventually

MIB = 1 << 20
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(spawn: Spawner, cuda: Path) -> Start:
    """Starts a program on the fake GPU: its name, what it does, and options of `giveway run`."""

    def run(name: str, role: str, *options: str, **env: str) -> subprocess.Popen[str]:
        gated = (GIVEWAY, "run", "--device", "cuda", "--name", name, *options)
        burst = (str(cuda / "burst"), role, "100", "200", "50")
        started = spawn(*gated, "--", *burst, env={"GIVEWAY_MAX_WAIT_MS": "0", **env})
        assert eventually(lambda: name in tasks() and tasks()[name].launches > 0)
        return started

    return run


def refused(giveway: Runner, *args: object) -> tuple[int, str]:
    done = giveway(*map(str, args))
    assert done.stdout == ""
    *progress, line = done.stderr.splitlines()
    assert all(not each.startswith("giveway: ") for each in progress)
    return done.returncode, line


def test_a_held_program_is_parked_and_comes_back(giveway: Runner, start: Start) -> None:
    low = start("low", "other")
    title = f"low ({low.pid})"
    high = start("high", "hold", "--priority", "10")
    assert eventually(lambda: tasks()["low"].state == "held")
    done = giveway("park", str(low.pid))
    assert (done.returncode, done.stdout) == (0, f"{title}: parked, 0 MiB are in host memory\n")
    shown = {task["name"]: task for task in json.loads(giveway("ps", "--json").stdout)["tasks"]}
    assert (shown["low"]["state"], shown["high"]["state"]) == ("parked", "active")
    assert refused(giveway, "park", low.pid) == (10, f"giveway: {title} is parked already")
    high.kill()
    high.wait()
    done = giveway("unpark", str(low.pid))
    assert (done.returncode, done.stdout) == (0, f"{title}: unparked, 0 MiB are back on the GPU\n")
    assert goes_on(low.pid, 100, UUID)
    assert refused(giveway, "unpark", low.pid) == (10, f"giveway: {title} is not parked")

    assert giveway("park", str(low.pid)).returncode == 0
    low.kill()
    low.wait()
    assert tasks() == {}
    assert refused(giveway, "unpark", low.pid)[0] == 4


def test_an_urgent_program_gets_the_memory_of_a_parkable_one(
    giveway: Runner, spawn: Spawner, cuda: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the two needs more than half of the GPU."""
    monkeypatch.setenv("GIVEWAY_FAKE_MEMORY", str(256 * MIB))
    monkeypatch.setenv("GIVEWAY_FAKE_COPY_NS", "2500")  # a second for 400 MiB
    monkeypatch.setenv("GIVEWAY_PARK_LEAST_MS", "10")
    monkeypatch.setenv("GIVEWAY_PARK_HOST_GIB", "0.2")
    low = Program(spawn, "low", "--parkable")
    pid = low.process.pid
    assert low.allocates(160 * MIB)
    high = Program(spawn, "high", "--priority", "10")
    assert high.sees() == (256 * MIB, 256 * MIB)
    assert high.allocates(192 * MIB)
    low_task, high_task = tasks()["low"], tasks()["high"]
    assert (low_task.state, low_task.memory, low_task.memory_host) == ("parked", 0, 160 * MIB)
    assert (high_task.memory, high_task.memory_host) == (192 * MIB, 0)
    assert refused(giveway, "unpark", pid) == (
        10,
        f"giveway: low ({pid}) stays parked: it has 160 MiB, and the GPU has room for 64 MiB",
    )
    high.process.kill()
    high.process.wait()
    assert eventually(lambda: tasks()["low"].state == "idle")
    assert low.allocates(64 * MIB)
    code, line = refused(giveway, "park", pid)
    assert code == 10
    assert "it has 224 MiB on the GPU, which take 238 MiB of host memory, and the machine" in line
    assert " has 205 MiB left; GIVEWAY_PARK_HOST_GIB states " in line
    assert low.sees() == (32 * MIB, 256 * MIB)

    assert low.ask("free") == "0"
    done = giveway("park", str(pid))
    assert (done.returncode, done.stdout) == (
        0,
        f"low ({pid}): parked, 160 MiB are in host memory\n",
    )
    assert "low: 160 MiB move to host memory" in done.stderr.splitlines()
    done = giveway("unpark", str(pid))
    assert "low: 160 MiB move back to the GPU" in done.stderr.splitlines()
    assert low.sees() == (96 * MIB, 256 * MIB)


def test_a_program_on_two_gpus_is_parked_on_both(
    giveway: Runner, spawn: Spawner, cuda: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_FAKE_DEVICES", "2")
    monkeypatch.setenv("GIVEWAY_FAKE_MEMORY", str(256 * MIB))
    low = Program(spawn, "low")
    title = f"low ({low.process.pid})"
    assert low.allocates(100 * MIB)
    assert low.ask("device 1") == "0"
    assert low.allocates(160 * MIB)
    done = giveway("park", str(low.process.pid))
    assert (done.returncode, done.stdout) == (
        0,
        f"{title}: parked, 260 MiB are in host memory\n",
    )
    shown = json.loads(giveway("ps", "--json").stdout)["tasks"]
    assert sorted((task["state"], task["memory_host"]) for task in shown) == [
        ("parked", 100 * MIB),
        ("parked", 160 * MIB),
    ]
    high = Program(spawn, "high")
    assert high.ask("device 1") == "0"
    assert high.allocates(128 * MIB)
    assert refused(giveway, "unpark", low.process.pid) == (
        10,
        f"giveway: {title} stays parked: it has 160 MiB, and the GPU has room for 128 MiB",
    )
    high.process.kill()
    high.process.wait()
    done = giveway("unpark", str(low.process.pid))
    assert (done.returncode, done.stdout) == (
        0,
        f"{title}: unparked, 260 MiB are back on the GPU\n",
    )
    assert low.allocates(90 * MIB)


def test_what_cannot_be_parked_goes_on(giveway: Runner, start: Start) -> None:
    code, line = refused(giveway, "park", os.getpid())
    assert (code, line.partition(":")[2].partition(":")[0]) == (
        4,
        f" process {os.getpid()} is not gated",
    )
    low = start("low", "other", GIVEWAY_FAKE_ERRORS="cuCheckpointProcessLock=800")
    code, line = refused(giveway, "park", low.pid)
    assert code == 10
    assert "was not parked: the system does not permit it (error 800)" in line
    low.send_signal(signal.SIGSTOP)
    assert eventually(lambda: " T " in Path(f"/proc/{low.pid}/stat").read_text())
    code, line = refused(giveway, "park", low.pid)
    assert (code, line) == (
        10,
        f"giveway: low ({low.pid}) is stopped: let it go on first (kill -CONT {low.pid})",
    )
    low.send_signal(signal.SIGCONT)
    assert goes_on(low.pid, 100, UUID)


def test_a_killed_request_leaves_the_program_as_it_was(
    giveway: Runner, start: Start, spawn: Spawner
) -> None:
    """Its work does not end while it holds, so that the request is killed half way."""
    low = start("low", "hold", GIVEWAY_PARK_WAIT_MS="1000")
    request = spawn(GIVEWAY, "park", str(low.pid))
    assert eventually(lambda: tasks()["low"].state == "parking")
    request.kill()
    request.wait()
    assert eventually(lambda: tasks()["low"].state == "active")
    code, line = refused(giveway, "unpark", low.pid)
    assert (code, line) == (10, f"giveway: low ({low.pid}) is not parked")
