"""A daemon that does not run for a while, through no fault of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from giveway.daemon.silence import read_schedule
from tests.conftest import Runner, Spawner
from tests.system.conftest import Regions
from tests.system.daemons import Daemon
from tests.waiting import eventually


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def sleeps(pid: int) -> int:
    """How often the process has waited for something: the supervisor, before each of its looks."""
    words = Path(f"/proc/{pid}/status").read_text().split()
    return int(words[words.index("voluntary_ctxt_switches:") + 1])


def test_to_be_stopped_is_no_hang(
    spawn: Spawner, bursts: Regions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-Z, a debugger or a suspended machine: the daemon goes on with its policy.

    The control is a daemon that does hang, from later on than the others stand still.
    """

    def move_to(name: str) -> None:
        monkeypatch.setenv("GIVEWAY_DIR", str(tmp_path / name))

    stopped = {}
    for name in ("the daemon", "both"):
        move_to(name)
        daemon = Daemon(spawn, "--policy", "fair")
        pids = [daemon.status()["pid"], daemon.process.pid][: 1 + (name == "both")]
        stopped[name] = daemon, pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        assert eventually(lambda: [state(pid) for pid in pids] == ["T"] * len(pids))  # noqa: B023

    move_to("control")
    control = Daemon(spawn, "--policy", "policies_that_fail:LoopsInC")
    bursts()
    assert eventually(lambda: control.events("failed"))

    for name, (daemon, pids) in stopped.items():
        move_to(name)
        assert [state(pid) for pid in pids] == ["T"] * len(pids)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        looks = sleeps(daemon.process.pid)
        assert eventually(lambda: sleeps(daemon.process.pid) > looks + 2)  # noqa: B023
        assert (daemon.status()["pid"], daemon.policy()) == (pids[0], "fair")


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
    assert daemon.process.wait(60) == 1


def test_a_daemon_that_loops_in_c_ends_with_its_parent(spawn: Spawner, bursts: Regions) -> None:
    """It acts on no signal that Python handles."""
    daemon = Daemon(spawn, "--policy", "policies_that_fail:LoopsInC")
    pid = daemon.status()["pid"]
    os.kill(daemon.process.pid, signal.SIGSTOP)  # it would end the daemon
    bursts()
    seen = read_schedule(pid)
    assert eventually(lambda: (read_schedule(pid).worked or 0) > (seen.worked or 0) + 0.5)
    daemon.process.kill()
    assert eventually(lambda: read_schedule(pid).state in ("", "Z"))


def test_a_signal_that_comes_at_once_is_not_lost() -> None:
    """Between the start of the daemon and the first look at it."""
    code = (
        "import os, signal, sys\n"
        "from giveway.daemon import supervisor\n"
        "start = supervisor._start\n"
        "def signalled(*arguments):\n"
        "    started = start(*arguments)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return started\n"
        "supervisor._start = signalled\n"
        "sys.exit(supervisor.run('priority'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_folder_that_is_none_is_one_line(giveway: Runner, tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.touch()
    done = giveway("serve", env={"GIVEWAY_DIR": str(path)})
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr
