"""A daemon schedules real programs, and the programs go on when the daemon fails."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from giveway import page
from giveway.errors import DaemonError, PageError, UsageError
from giveway.page.decider import Gates
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions, Serve
from tests.system.daemons import Daemon
from tests.system.fake_gpu import UUID
from tests.system.watching import goes_on, stands_still, task_of
from tests.waiting import eventually


def answers(daemon: Daemon) -> bool:
    try:
        return bool(daemon.status())
    except DaemonError:
        return False


def gets_more(daemon: Daemon, many: int, few: int) -> bool:
    """Whether one comes to run a quarter of a second more than another, from now on."""

    def lead() -> float:
        ran = {task["pid"]: task["running_seconds"] for task in daemon.status()["tasks"]}
        return float(ran[many] - ran[few])

    assert eventually(lambda: daemon.running(many) > 0 and daemon.running(few) > 0)
    before = lead()
    return eventually(lambda: lead() > before + 0.25, 120)


def test_who_has_the_larger_share_gets_more(serve: Serve, regions: Regions) -> None:
    daemon = serve("--policy", "share")
    many, few = regions("--share", "75").pid, regions("--share", "25").pid
    assert gets_more(daemon, many, few)
    assert goes_on(few)
    assert daemon.task(many)["attributes"]["share"] == "75"


def test_an_attribute_can_be_changed_while_it_counts(
    serve: Serve, regions: Regions, giveway: Runner
) -> None:
    """By earliest deadline, which decides alone: shares of a busy machine say little."""
    daemon = serve("--policy", "edf")
    first = regions().pid
    second = regions("--deadline", "20ms").pid
    assert eventually(lambda: stands_still(first, second))
    done = giveway("set", str(first), "deadline=20ms")
    assert (done.returncode, done.stdout) == (0, f"regions ({first}): deadline=20ms\n")
    assert giveway("set", str(second), "deadline=none").returncode == 0
    assert eventually(lambda: daemon.task(first)["attributes"].get("deadline") == "20ms")
    assert eventually(lambda: stands_still(second, first))


def test_the_earliest_deadline_goes_first(serve: Serve, regions: Regions, bursts: Regions) -> None:
    daemon = serve("--policy", "edf")
    patient, urgent = regions("--deadline", "60s"), bursts("--deadline", "20ms")

    def held() -> list[dict[str, Any]]:
        return [e for e in daemon.events("held") if e["pid"] == patient.pid]

    assert eventually(lambda: len(held()) > 10)
    assert {e["by"]["pid"] for e in held()} == {urgent.pid}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_without_the_daemon_priorities_decide_again(
    serve: Serve, regions: Regions, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")  # no turns
    daemon = serve("--policy", "rr")
    low, high = regions("--priority", "1").pid, regions("--priority", "2").pid
    assert goes_on(low)
    os.kill(daemon.status()["pid"], number)
    assert eventually(lambda: stands_still(low, high))
    again = serve("--policy", "rr")
    assert goes_on(low)
    assert eventually(lambda: again.running(low) > 0 and again.running(high) > 0)


def test_a_daemon_that_was_killed_is_one_line(spawn: Spawner) -> None:
    process = spawn(GIVEWAY, "serve", stderr=-1)
    assert process.stdout is not None
    os.kill(int(process.stdout.readline().split()[-1]), signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL
    assert said == "giveway: the daemon was killed by SIGKILL; priorities decide\n"


def test_a_daemon_that_stands_still_decides_nothing(
    serve: Serve, regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")  # no turns
    daemon = serve("--policy", "rr")
    low, high = regions("--priority", "1").pid, regions("--priority", "2").pid
    assert goes_on(low)
    pid = daemon.status()["pid"]

    def stop() -> bool:
        """Not while the process holds the page's lock, which would end gating for all programs."""
        os.kill(pid, signal.SIGSTOP)
        try:
            task_of(low)
        except PageError:
            os.kill(pid, signal.SIGCONT)
            return False
        return True

    assert eventually(stop)
    assert eventually(lambda: page.Page.open("cpu").decider() == 0)
    assert eventually(lambda: stands_still(low, high))
    os.kill(pid, signal.SIGCONT)
    assert goes_on(low)
    assert daemon.policy() == "rr"


def test_when_the_supervisor_is_killed_so_is_the_daemon(serve: Serve, regions: Regions) -> None:
    daemon = serve("--policy", "rr")
    regions()
    pid = daemon.status()["pid"]
    assert pid != daemon.process.pid
    daemon.process.kill()
    assert eventually(lambda: page.Page.open("cpu").decider() == 0)
    assert eventually(lambda: not answers(daemon))


def test_policies_are_switched_under_load(serve: Serve, regions: Regions, giveway: Runner) -> None:
    daemon = serve()
    pids = [regions("--share", str(share), "--priority", str(share)).pid for share in (30, 40)]
    names = ["share", "rr,slice=2ms", "fair", "mlfq", "edf,k=2", "group-share", "nice", "laxity"]
    for name in names:
        assert daemon.policy(name) == name.partition(",")[0]
    done = giveway("policy", "rr,slice=2ms")
    assert (done.returncode, done.stdout) == (0, "rr\n")
    assert [e["policy"] for e in daemon.events("policy")][-1] == "rr"
    assert daemon.events("failed") == []
    assert all(goes_on(pid) for pid in pids)
    assert [daemon.task(pid)["attributes"]["share"] for pid in pids] == ["30", "40"]


def test_policies_that_fail_are_taken_out_of_service(serve: Serve, bursts: Regions) -> None:
    """One after the other, in one daemon."""
    daemon = serve()
    one, other = bursts("--priority", "1").pid, bursts("--priority", "2").pid
    failures = {
        "Raises": "RuntimeError: no idea",
        "Exits": "SystemExit: 3",
        "Interrupts": "KeyboardInterrupt",
        "WrongType": "'int' object is not iterable",
        "Loops": "took longer than 50 ms",
        "Sleeps": "took longer than 50 ms",
    }
    for count, (name, words) in enumerate(failures.items(), start=1):
        daemon.policy(f"policies_that_fail:{name}")
        assert eventually(lambda: len(daemon.events("failed")) == count), name  # noqa: B023
        failed = daemon.events("failed")[-1]
        assert words in failed["traceback"]
        assert ("policies_that_fail.py" in failed["traceback"]) is (name != "WrongType")
        assert daemon.policy() == "priority"
        assert goes_on(one, 10)
        assert goes_on(other, 10)


def test_a_policy_that_hangs_in_c_is_taken_out_of_service(serve: Serve, bursts: Regions) -> None:
    daemon = serve("--policy", "policies_that_fail:LoopsInC")
    pids = bursts("--priority", "1").pid, bursts("--priority", "2").pid
    assert eventually(lambda: daemon.events("failed"))
    (failed,) = daemon.events("failed")
    assert "in fail" in failed["traceback"]
    assert "policies_that_fail.py" in failed["traceback"]
    assert daemon.policy() == "priority"
    assert all(goes_on(pid, 10) for pid in pids)


def test_a_policy_that_always_wants_to_be_woken(serve: Serve, regions: Regions) -> None:
    daemon = serve("--policy", "policies_that_fail:Sleepless")
    pid = regions().pid
    assert goes_on(pid)
    assert daemon.policy() == "sleepless"
    assert daemon.policy("fair") == "fair"


@pytest.mark.parametrize("name", ["exits_when_imported:Policy", "policies_that_fail:Nobody"])
def test_a_policy_that_cannot_be_had_changes_nothing(serve: Serve, name: str) -> None:
    daemon = serve("--policy", "fair")
    with pytest.raises(UsageError, match="policy"):
        daemon.policy(name)
    assert daemon.policy() == "fair"


def test_programs_on_a_gpu_get_their_shares(serve: Serve, spawn: Spawner, cuda: Path) -> None:
    daemon = serve("--policy", "share")

    def start(share: str) -> int:
        run = (GIVEWAY, "run", "--device", "cuda", "--share", share)
        return spawn(*run, "--", str(cuda / "burst"), "other", "60", "200", "50").pid

    many, few = start("75"), start("25")
    assert gets_more(daemon, many, few)
    assert goes_on(few, 50, UUID)


@pytest.mark.parametrize("name", ["Nonsense", "AllClosed"])
def test_a_decision_that_cannot_be_is_refused(serve: Serve, bursts: Regions, name: str) -> None:
    daemon = serve("--policy", f"policies_that_fail:{name}")
    process = bursts()
    assert eventually(lambda: daemon.events("refused"))
    assert len(daemon.events("refused")) < 10  # each is said once
    output, _ = process.communicate(timeout=60)
    assert int(output) > 0
    assert daemon.events("failed") == []


def test_a_program_that_was_killed_has_left(serve: Serve, regions: Regions) -> None:
    daemon = serve("--policy", "rr")
    first, second = regions(), regions()
    assert eventually(lambda: len(daemon.status()["tasks"]) == 2)
    first.kill()
    first.wait()
    assert eventually(lambda: len(daemon.status()["tasks"]) == 1)
    assert [event["pid"] for event in daemon.events("left")] == [first.pid]
    assert goes_on(second.pid)


def test_a_page_that_is_deleted_is_left(serve: Serve, regions: Regions, giveway_dir: Path) -> None:
    daemon = serve("--policy", "rr")
    first = regions()
    assert eventually(lambda: daemon.running(first.pid) > 0)
    (giveway_dir / "cpu.page").unlink()
    assert eventually(lambda: daemon.events("device lost"))
    second = regions()
    assert eventually(lambda: daemon.running(second.pid) > 0)


def test_only_one_daemon_decides(serve: Serve, giveway: Runner, giveway_dir: Path) -> None:
    daemon = serve("--policy", "fair")
    pid = daemon.status()["pid"]
    second = giveway("serve", "--policy", "rr")
    assert (second.returncode, second.stdout) == (7, "")
    (line,) = second.stderr.splitlines()
    assert line.startswith(f"giveway: a daemon runs already: process {pid}, policy fair")
    (giveway_dir / "daemon.sock").unlink()  # without it, the lock still tells
    third = giveway("serve", "--policy", "rr")
    assert third.returncode == 7
    assert f"process {pid}" in third.stderr


def test_two_daemons_of_two_folders_cannot_share_a_page(serve: Serve, regions: Regions) -> None:
    serve("--policy", "rr")
    regions()
    assert eventually(lambda: page.Page.open("cpu").decider() != 0)
    with pytest.raises(PageError, match="another process decides") as caught:
        Gates(page.Page.open("cpu"))
    assert caught.value.code == page.TAKEN
