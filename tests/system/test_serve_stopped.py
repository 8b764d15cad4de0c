"""A daemon that does not run for a while, through no fault of its own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Runner, Spawner
from tests.system.daemons import Daemon
from tests.waiting import eventually

LONGER_THAN_A_HANG = 4.0


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


@pytest.mark.parametrize("who", ["the daemon", "both"])
def test_to_be_stopped_is_no_hang(spawn: Spawner, who: str) -> None:
    """As by Ctrl-Z, a debugger or a suspended machine: it goes on with the policy it had."""
    daemon = Daemon(spawn, "--policy", "fair")
    before = daemon.status()["pid"]
    stopped = [before] if who == "the daemon" else [before, daemon.process.pid]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(LONGER_THAN_A_HANG)
    assert [state(pid) for pid in stopped] == ["T"] * len(stopped)
    for pid in reversed(stopped):
        os.kill(pid, signal.SIGCONT)
    time.sleep(0.5)
    assert eventually(daemon.status)
    after = daemon.status()
    assert (after["pid"], daemon.policy()) == (before, "fair")


def test_a_hang_again_at_once_is_not_tried_a_third_time(spawn: Spawner) -> None:
    """Whatever hangs without a policy of the user's is not cured by another start."""
    daemon = Daemon(spawn, "--policy", "fair")
    first = daemon.status()["pid"]
    os.kill(first, signal.SIGUSR1)  # as the parent does
    assert eventually(lambda: daemon.status()["pid"] != first)
    (failed,) = daemon.events("failed")
    assert failed["policy"] == "fair"
    assert "in serve" in failed["traceback"]
    os.kill(daemon.status()["pid"], signal.SIGUSR1)
    assert daemon.process.wait(20) == 1


def test_a_folder_that_is_none_is_one_line(giveway: Runner, tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.touch()
    done = giveway("serve", env={"GIVEWAY_DIR": str(path)})
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr
