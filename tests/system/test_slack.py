"""Slack with real programs, on a fake GPU on which they run side by side."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from giveway.sched.task import Task
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Serve
from tests.system.fake_gpu import UUID
from tests.system.watching import goes_on, tasks
from tests.waiting import eventually


class Pair:
    """A training, and beside it an urgent program that tolerates a slowdown of a half. The training
    makes its light kernels 2 % slower, and its heavy ones three times as slow."""

    def __init__(self, spawn: Spawner, kinds: str) -> None:
        self._spawn, self._kinds = spawn, kinds
        self.low = self._start("low", "ns_100000_train")
        kernels = ("ns_100000_light", "ns_100000_heavy")
        self._program = self._start("urgent", *kernels, options=("--priority", "10"))

    def _start(
        self, name: str, *kernels: str, options: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        run = (GIVEWAY, "run", "--device", "cuda", "--name", name, "--slowdown", "50%", *options)
        env = {"GIVEWAY_FAKE_BESIDE": "light*train=1.02,heavy*train=3"}
        program = self._spawn(*run, "--", self._kinds, *kernels, env=env)
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        return program

    @property
    def urgent(self) -> Task:
        return tasks()["urgent"]

    def runs_together(self) -> bool:
        """Whether most of the next half second of contended time is time together.

        Not of all time since the start: where the machine stands still now and then, the urgent
        program finds its speed later.
        """
        before = self.urgent
        assert eventually(lambda: self.urgent.contended_seconds > before.contended_seconds + 0.5)
        after = self.urgent
        contended = after.contended_seconds - before.contended_seconds
        return after.beside_seconds - before.beside_seconds > 0.6 * contended

    def become_heavy(self) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write("\n")
        self._program.stdin.flush()


@pytest.fixture
def pair(spawn: Spawner, cuda: Path) -> Pair:
    return Pair(spawn, str(cuda / "kinds"))


def test_the_price_of_time_together_is_measured_and_changes_with_the_work(
    pair: Pair, giveway: Runner
) -> None:
    assert eventually(lambda: pair.urgent.price == "cheap", 120)
    assert eventually(pair.runs_together, 120)
    assert goes_on(pair.low.pid, 500, UUID)
    header, *rows = giveway("ps", "--format", "name,slowdown,together").stdout.splitlines()
    assert header.split() == ["NAME", "SLOWDOWN", "TOGETHER"]
    assert "/50%" in next(row for row in rows if row.startswith("urgent"))

    pair.become_heavy()
    assert eventually(lambda: (pair.urgent.slowdown or 0) > 60, 120)
    assert goes_on(pair.low.pid, 50, UUID)  # for the credit


def test_under_a_daemon_the_task_asks_and_the_log_says_why(
    serve: Serve, spawn: Spawner, cuda: Path
) -> None:
    daemon = serve("--policy", "priority")
    pair = Pair(spawn, str(cuda / "kinds"))
    assert eventually(lambda: daemon.events("together"), 120)
    assert eventually(pair.runs_together, 120)
    assert goes_on(pair.low.pid, 500, UUID)
    assert "others cost" in daemon.events("together")[-1]["why"]
    assert daemon.policy("rr") == "rr"  # it knows no slack
