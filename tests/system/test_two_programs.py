"""Two programs on one device: which is held, until when, and how a held program goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from giveway.page.observer import Page
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions
from tests.system.watching import gives_way, goes_on, task_of
from tests.waiting import eventually

LIGHT = (sys.executable, str(Path(__file__).with_name("light_programs.py")))


def light_program(spawn: Spawner, name: str, *options: str) -> subprocess.Popen[str]:
    """A busy program in Python, under ``giveway run``; needs the fixture ``light_torch``."""
    process = spawn(GIVEWAY, "run", *options, "--", *LIGHT, name)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held programs have no turn in between."""
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")


@pytest.mark.usefixtures("patient")
def test_a_program_that_is_held_is_let_go(regions: Regions) -> None:
    low, high = regions(), regions("--priority", "10")
    assert gives_way(low.pid, high.pid)
    before = task_of(low.pid)
    assert before.preemptions > 0
    assert goes_on(high.pid)
    high.kill()
    assert goes_on(low.pid)
    assert task_of(low.pid).held_seconds > before.held_seconds


@pytest.mark.usefixtures("patient")
def test_a_priority_changes_while_programs_run(regions: Regions, giveway: Runner) -> None:
    first, second = regions(), regions("--priority", "1")
    assert gives_way(first.pid, second.pid)
    done = giveway("set", str(first.pid), "--priority", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert gives_way(second.pid, first.pid)


@pytest.mark.usefixtures("patient")
def test_slack_is_spent_and_can_be_changed(regions: Regions, giveway: Runner) -> None:
    """Both keep two cores busy, so the urgent one pays for each block with credit."""
    low, high = regions(), regions("--priority", "10")
    assert gives_way(low.pid, high.pid)
    done = giveway("set", str(high.pid), "--slowdown", "50%")
    assert (done.returncode, done.stderr) == (0, "")
    assert goes_on(low.pid)
    assert goes_on(low.pid)
    assert giveway("set", str(high.pid), "--slowdown", "0%").returncode == 0
    assert gives_way(low.pid, high.pid)


@pytest.mark.usefixtures("patient")
def test_a_killed_program_holds_nobody(regions: Regions) -> None:
    low, high = regions(), regions("--priority", "10")
    assert eventually(lambda: task_of(low.pid).state == "held")
    high.kill()
    # From here on, only the held program checks whether the other program is alive. It cannot
    # end before it has gone on.
    low.communicate(timeout=60)
    assert low.returncode == 0


@pytest.mark.usefixtures("patient", "light_torch")
def test_two_threads_at_two_priorities_both_end(giveway: Runner) -> None:
    done = giveway("run", "--", *LIGHT, "two_priorities")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {name: (t["priority"], t["thread"]) for name, t in seen.items()} == {
        "urgent": (10, True),
        "other": (0, True),
    }
    assert seen["urgent"]["held"] == 0
    assert seen["other"]["held"] > 0


@pytest.mark.usefixtures("light_torch")
def test_ctrl_c_ends_a_held_program(regions: Regions, spawn: Spawner) -> None:
    low, _ = light_program(spawn, "busy"), regions("--priority", "10")
    assert eventually(lambda: task_of(low.pid).state == "held")
    low.send_signal(signal.SIGINT)
    assert low.wait(60) == -signal.SIGINT


@pytest.mark.usefixtures("patient")
def test_a_page_that_is_cut_under_two_programs_costs_only_the_gating(regions: Regions) -> None:
    low, high = regions(), regions("--priority", "10")
    assert eventually(lambda: task_of(low.pid).state == "held")
    os.truncate(Page.open().path, 0)
    # The held program cannot end before its gate opens, and the urgent program runs meanwhile.
    for process in (low, high):
        assert process.poll() is None
        _, error = process.communicate(timeout=60)
        assert (process.returncode, error) == (0, None)
