"""`giveway top` on a terminal, and without one."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.conftest import Runner, Spawner
from tests.system.conftest import Regions
from tests.system.daemons import Daemon
from tests.system.terminal import LEAVE_SCREEN, Terminal


@pytest.fixture
def terminal(spawn: Spawner, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    terminal = Terminal(spawn, getattr(request, "param", 100), "top", "--interval", "0.2")
    yield terminal
    os.close(terminal.master)
    os.close(terminal.slave)


def test_it_refreshes_sorts_and_quits(regions: Regions, terminal: Terminal) -> None:
    regions("--name", "bbb", "--priority", "7")
    terminal.wait_for("1 tasks, by priority")
    terminal.wait_for("bbb")
    regions("--name", "aaa", "--priority", "-5")
    terminal.wait_for("2 tasks, by priority")
    terminal.wait_for("bbb")
    terminal.wait_for("aaa")
    terminal.type("n")
    terminal.wait_for("by name")
    terminal.wait_for("aaa")
    terminal.wait_for("bbb")
    terminal.type("x")
    terminal.type("q")
    assert terminal.end() == 0


def test_it_shows_the_policy_and_the_shares(
    spawn: Spawner, regions: Regions, terminal: Terminal
) -> None:
    regions("--share", "70")
    regions("--share", "30")
    terminal.wait_for("gates by priority, no daemon")
    Daemon(spawn, "--policy", "share")
    terminal.wait_for("gates policy share")
    terminal.wait_for("SHARE%")
    terminal.wait_for("/70")
    terminal.wait_for("/30")
    terminal.type("q")
    assert terminal.end() == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_a_signal_leaves_the_terminal_as_it_was(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    terminal.wait_for("by priority")
    terminal.process.send_signal(number)
    assert terminal.end() == code


def test_control_c_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    terminal.wait_for("by priority")
    terminal.type("\x03")
    assert terminal.end() == 130


def test_a_page_that_goes_bad_leaves_the_terminal_as_it_was(
    regions: Regions, terminal: Terminal, giveway_dir: Path
) -> None:
    regions()
    terminal.wait_for("1 tasks")
    os.truncate(giveway_dir / "cpu.page", 0)
    assert terminal.end() == 3
    assert terminal.output.split(LEAVE_SCREEN)[-1].count(b"giveway: ") == 1


@pytest.mark.parametrize("terminal", [20], indirect=True)
def test_a_narrow_terminal_is_enough(regions: Regions, terminal: Terminal) -> None:
    process = regions("--name", "a-name-that-is-far-too-long")
    terminal.wait_for(str(process.pid))
    terminal.wait_for("…")
    terminal.type("q")
    assert terminal.end() == 0


def test_a_dumb_terminal_gets_one_snapshot(giveway: Runner) -> None:
    master, slave = os.openpty()
    done = giveway("top", env={"TERM": "dumb"}, stdin=slave)
    os.close(master)
    os.close(slave)
    assert (done.returncode, done.stdout.split()[0]) == (0, "DEVICE")


def test_without_a_terminal_it_is_one_snapshot(giveway: Runner, regions: Regions) -> None:
    process = regions("--name", "only")
    done = giveway("top")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split()[:2] == ["cpu", str(process.pid)]
    done = giveway("top", "--format", "pid,name,command", "--csv", "--count", "2", "-i", "0.1")
    header, first, second = csv.reader(done.stdout.splitlines())
    assert header == ["time", "pid", "name", "command"]
    assert datetime.fromisoformat(first[0]) < datetime.fromisoformat(second[0])
    assert first[1:] == second[1:]
    assert first[1:3] == [str(process.pid), "only"]
    assert first[3].endswith("/regions")
