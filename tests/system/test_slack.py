"""Slack with real programs, on a fake GPU on which they run side by side."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from giveway.sched.task import Task
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Serve
from tests.system.daemons import Daemon
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
        return after.together_seconds - before.together_seconds > 0.6 * contended

    def become_heavy(self) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write("\n")
        self._program.stdin.flush()


@pytest.fixture
def pair(spawn: Spawner, cuda: Path) -> Pair:
    return Pair(spawn, str(cuda / "kinds"))


def test_the_slowdown_is_measured_and_changes_with_the_work(pair: Pair, giveway: Runner) -> None:
    assert eventually(lambda: pair.urgent.slack == "within", 120)
    assert eventually(pair.runs_together, 120)
    assert goes_on(pair.low.pid, 500, UUID)
    words = ("name", "tolerance", "slowdown", "slack", "credit", "together")
    header, *rows = giveway("ps", "--format", ",".join(words)).stdout.splitlines()
    assert header.split() == [word.upper() for word in words]
    urgent = next(row.split() for row in rows if row.startswith("urgent"))
    assert (urgent[1], urgent[4][-2:], urgent[5][-1]) == ("50%", "ms", "%")

    pair.become_heavy()
    assert eventually(lambda: (pair.urgent.slowdown or 0) > 60, 120)
    assert goes_on(pair.low.pid, 50, UUID)  # for the credit


def measured(daemon: Daemon) -> list[dict[str, Any]]:
    """The events that say that the slowdown is within the tolerance."""
    return [event for event in daemon.events("slack") if event["slack"] == "within"]


def test_under_a_daemon_the_task_asks_and_the_log_says_why(
    serve: Serve, spawn: Spawner, cuda: Path, giveway: Runner
) -> None:
    daemon = serve("--policy", "priority")
    pair = Pair(spawn, str(cuda / "kinds"))
    assert eventually(lambda: measured(daemon), 120)
    assert eventually(pair.runs_together, 120)
    assert goes_on(pair.low.pid, 500, UUID)
    event = measured(daemon)[0]
    assert (event["name"], event["tolerance"]) == ("urgent", 50)
    assert "at most 50% at 3 standard errors, credit " in event["why"]
    # Less than a dozen pairs of blocks show nothing.
    assert sum(event["blocks"] for event in daemon.events("slack")) >= 10
    shown = giveway("events").stdout
    assert f" slack      urgent ({pair.urgent.pid}) on {UUID} ({event['why']})\n" in shown
    assert daemon.policy("rr") == "rr"  # it knows no slack
