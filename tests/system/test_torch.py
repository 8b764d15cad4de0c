"""Real torch programs under `giveway run`: seen, held, and computing the same numbers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from giveway.page.observer import Page
from giveway.sched.task import Task
from tests.conftest import GIVEWAY, Runner, Spawner

pytest.importorskip("torch")

PROGRAMS = str(Path(__file__).with_name("programs.py"))
PLAIN = (sys.executable, PROGRAMS)


def plainly(name: str) -> str:
    return subprocess.run([*PLAIN, name], check=True, capture_output=True, text=True).stdout


def gated(giveway: Runner, name: str, env: dict[str, str] | None = None) -> str:
    done = giveway("run", "--", *PLAIN, name, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Busy:
    """A program that makes progress, and when it last did."""

    def __init__(self, spawn: Spawner, *options: str, env: dict[str, str] | None = None) -> None:
        self.process = spawn(GIVEWAY, "run", *options, "--", *PLAIN, "busy", env=env)
        assert self.process.stdout is not None
        self.out = self.process.stdout
        assert self.out.readline() == "ready\n"
        os.set_blocking(self.out.fileno(), False)
        self.rest = b""

    def steps(self) -> list[float]:
        """When each step ended that was finished since the last call."""
        times: list[float] = []
        while True:
            try:
                got = os.read(self.out.fileno(), 1 << 16)
            except BlockingIOError:
                return times
            assert got, "the program has ended"
            *lines, self.rest = (self.rest + got).split(b"\n")
            times += [float(line) for line in lines]

    def task(self) -> Task:
        (task,) = (t for t in Page.open().tasks() if t.pid == self.process.pid)
        return task

    def wait_for_a_step(self, seconds: float = 20) -> float:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if steps := self.steps():
                return steps[0]
            time.sleep(0.001)
        raise AssertionError("no progress")


def gives_way(low: Busy, high: Busy) -> bool:
    """Whether the one stands still, but for the step it was in, while the other makes progress."""
    # The urgent one is never idle for long: between two of its steps it only prints. A machine may
    # stall it, with the other one's leave to go on; one that is not held never stands still.
    for _ in range(5):
        time.sleep(0.3)  # what the low one had begun
        low.steps(), high.steps()
        time.sleep(1)
        if len(low.steps()) <= 1 and len(high.steps()) > 3:
            return True
    return False


@pytest.mark.parametrize("program", ["numbers", "one_thread"])
def test_the_numbers_are_the_same(giveway: Runner, program: str) -> None:
    assert gated(giveway, program) == plainly(program)


@pytest.mark.parametrize("threads", ["several", "one"])
def test_a_compiled_model_stays_compiled(giveway: Runner, threads: str) -> None:
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs g++ on the cpu device")
    env = {"ONE_THREAD": "1"} if threads == "one" else None
    assert json.loads(gated(giveway, "compiled", env)) == {"graphs": 1}


def test_forked_workers_compute_and_end(giveway: Runner) -> None:
    assert gated(giveway, "workers") == plainly("workers")


@pytest.mark.parametrize("how", ["regions", "set_num_threads", "OMP_NUM_THREADS"])
def test_a_program_is_seen_held_and_let_go(spawn: Spawner, how: str) -> None:
    env = {"regions": {}, "set_num_threads": {"ONE_THREAD": "1"}, "OMP_NUM_THREADS": {how: "1"}}
    low = Busy(spawn, "--name", "low", env={**env[how], "GIVEWAY_MAX_WAIT_MS": "0"})
    low.wait_for_a_step()
    before = low.task()
    assert before.launches > 0
    assert (before.operators == before.launches) == (how != "regions")
    high = Busy(spawn, "--priority", "10")
    high.wait_for_a_step()
    assert gives_way(low, high)
    assert low.task().preemptions > before.preemptions
    high.process.kill()
    low.wait_for_a_step(5)
    assert low.task().held_seconds > 0.5


def test_a_priority_changes_while_programs_run(spawn: Spawner, giveway: Runner) -> None:
    env = {"GIVEWAY_MAX_WAIT_MS": "0"}
    first, second = Busy(spawn, env=env), Busy(spawn, "--priority", "1", env=env)
    second.wait_for_a_step()
    done = giveway("set", str(first.process.pid), "--priority", "2")
    assert (done.returncode, done.stderr) == (0, "")
    first.wait_for_a_step()
    assert gives_way(second, first)


def test_a_large_program_that_is_killed_holds_nobody(spawn: Spawner) -> None:
    """Its memory takes the kernel longer to give back than a held program may have to wait."""
    low = Busy(spawn, env={"GIVEWAY_MAX_WAIT_MS": "0"})
    waits: list[float] = []
    while not waits or (min(waits) >= 0.1 and len(waits) < 6):
        high = Busy(spawn, "--priority", "10", env={"BALLAST_MB": "2000"})
        high.wait_for_a_step()
        time.sleep(0.5)
        low.steps()
        killed = time.monotonic()
        high.process.kill()
        while low.task().state == "held":
            assert time.monotonic() - killed < 5
            time.sleep(0.001)
        waits.append(time.monotonic() - killed)
        low.wait_for_a_step(5)
    # A machine may stall once; a kernel that is giving memory back would do so each time.
    assert min(waits) < 0.1, waits


def test_two_threads_at_two_priorities_both_end(giveway: Runner) -> None:
    seen = json.loads(gated(giveway, "two_priorities", {"GIVEWAY_MAX_WAIT_MS": "0"}))
    assert {name: (t["priority"], t["thread"]) for name, t in seen.items()} == {
        "urgent": (10, True),
        "other": (0, True),
    }
    assert seen["urgent"]["held"] == 0
    assert seen["other"]["held"] > 0


def test_ctrl_c_ends_a_held_program(spawn: Spawner) -> None:
    low = Busy(spawn)
    high = Busy(spawn, "--priority", "10")
    high.wait_for_a_step()
    low.process.send_signal(signal.SIGINT)
    assert low.process.wait(30) == -signal.SIGINT


def test_a_page_that_is_cut_under_two_programs_costs_only_the_gating(spawn: Spawner) -> None:
    low, high = Busy(spawn), Busy(spawn, "--priority", "10")
    high.wait_for_a_step()
    os.truncate(Page.open().path, 0)
    time.sleep(0.2)
    low.steps(), high.steps()
    low.wait_for_a_step()
    high.wait_for_a_step()
    assert low.process.poll() is None
    assert high.process.poll() is None
