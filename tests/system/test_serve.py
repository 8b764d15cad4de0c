"""A daemon decides about real programs; and what becomes of them when it does not."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from giveway import page
from giveway.errors import DaemonError, PageError, UsageError
from giveway.page.decider import Gates
from giveway.sched.task import Task
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions
from tests.system.daemons import HERE, Daemon
from tests.system.fake_gpu import UUID
from tests.waiting import eventually

Serve = Callable[..., Daemon]


@pytest.fixture
def serve(spawn: Spawner) -> Serve:
    return lambda *options: Daemon(spawn, *options)


@pytest.fixture(scope="session")
def bursts_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    program = tmp_path_factory.mktemp("bursts") / "bursts"
    subprocess.run(
        ["cc", "-O1", "-fopenmp", str(HERE / "bursts.c"), "-o", str(program)], check=True
    )
    return str(program)


@pytest.fixture
def bursts(spawn: Spawner, bursts_program: str) -> Regions:
    """Starts a program that is active again and again."""

    def start(*options: str) -> subprocess.Popen[str]:
        process = spawn(GIVEWAY, "run", *options, "--", bursts_program)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    return start


def task_of(pid: int) -> Task:
    (task,) = (task for task in page.Page.open("cpu").tasks() if task.pid == pid)
    return task


def answers(daemon: Daemon) -> bool:
    try:
        return bool(daemon.status())
    except DaemonError:
        return False


def held_for_good(pid: int) -> bool:
    """Whether it is held whenever somebody looks, for half a second."""
    for _ in range(10):
        if task_of(pid).state != "held":
            return False
        time.sleep(0.05)
    return True


def gets(daemon: Daemon, pids: tuple[int, int], share: float) -> bool:
    """Whether the first of two comes to have that share of what both run from now on: of a few
    seconds, or of more where others have stalled one of them for a while."""

    def ran() -> list[float]:
        tasks = daemon.status()["tasks"]  # one look at both
        return [next(t["running_seconds"] for t in tasks if t["pid"] == pid) for pid in pids]

    def is_so() -> bool:
        first, second = (now - was for now, was in zip(ran(), before, strict=True))
        return abs(first - share * (first + second)) < 0.05 * (first + second)

    before = ran()
    time.sleep(4)
    return eventually(is_so)


def test_shares_are_kept(serve: Serve, regions: Regions) -> None:
    daemon = serve("--policy", "share")
    many, few = regions("--share", "75").pid, regions("--share", "25").pid
    assert eventually(lambda: daemon.running(few) > 0.1)
    assert gets(daemon, (many, few), 0.75)
    assert daemon.task(many)["attributes"]["share"] == "75"


def test_an_attribute_can_be_changed_while_it_counts(
    serve: Serve, regions: Regions, giveway: Runner
) -> None:
    daemon = serve("--policy", "share")
    first, second = regions("--share", "10").pid, regions("--share", "90").pid
    done = giveway("set", str(first), "share=90%")
    assert (done.returncode, done.stdout) == (0, f"regions ({first}): share=90\n")
    assert giveway("set", str(second), "share=10").returncode == 0
    assert eventually(lambda: daemon.task(first)["attributes"]["share"] == "90")
    assert gets(daemon, (first, second), 0.9)


def test_the_earliest_deadline_goes_first(serve: Serve, regions: Regions, bursts: Regions) -> None:
    daemon = serve("--policy", "edf")
    patient, urgent = regions("--deadline", "60s"), bursts("--deadline", "20ms")

    def held() -> list[dict[str, Any]]:
        return [e for e in daemon.events("held") if e["pid"] == patient.pid]

    time.sleep(2)  # in which the urgent one is not to be held either
    assert eventually(lambda: len(held()) > 10)
    assert {e["by"]["pid"] for e in held()} == {urgent.pid}
    assert not [e for e in daemon.events("held") if e["pid"] == urgent.pid]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_without_the_daemon_priorities_decide_again(
    serve: Serve, regions: Regions, number: signal.Signals
) -> None:
    daemon = serve("--policy", "rr")
    low, high = regions("--priority", "1").pid, regions("--priority", "2").pid
    assert eventually(lambda: daemon.running(low) > 0.2 and daemon.running(high) > 0.2)
    os.kill(daemon.status()["pid"], number)
    assert eventually(lambda: held_for_good(low))
    again = serve("--policy", "rr")
    assert eventually(lambda: again.running(low) > 0.2 and again.running(high) > 0.2)


def test_a_daemon_that_was_killed_is_one_line(spawn: Spawner) -> None:
    process = spawn(GIVEWAY, "serve", stderr=-1)
    assert process.stdout is not None
    os.kill(int(process.stdout.readline().split()[-1]), signal.SIGKILL)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGKILL
    assert said == "giveway: the daemon was killed by SIGKILL; priorities decide\n"


def test_a_daemon_that_stands_still_decides_nothing(serve: Serve, regions: Regions) -> None:
    daemon = serve("--policy", "rr")
    low, high = regions("--priority", "1").pid, regions("--priority", "2").pid
    assert eventually(lambda: daemon.running(low) > 0.2 and daemon.running(high) > 0.2)
    pid = daemon.status()["pid"]

    def stop() -> bool:
        """Not while it holds the page's lock: that would cost everybody the gating."""
        os.kill(pid, signal.SIGSTOP)
        try:
            task_of(low)
        except PageError:
            os.kill(pid, signal.SIGCONT)
            return False
        return True

    def priorities_decide() -> bool:
        return page.Page.open("cpu").decider() == 0 and task_of(low).state == "held"

    assert eventually(stop)
    assert eventually(priorities_decide)
    os.kill(pid, signal.SIGCONT)
    before = daemon.running(low)
    assert eventually(lambda: daemon.running(low) > before + 0.2)


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
        done = giveway("policy", name)
        assert (done.returncode, done.stdout) == (0, name.partition(",")[0] + "\n")
    assert daemon.policy("rr") == "rr"
    assert [e["policy"] for e in daemon.events("policy")][-1] == "rr"
    assert daemon.events("failed") == []
    before = [daemon.running(pid) for pid in pids]
    assert before[0] > 0  # what it has used is not forgotten
    assert eventually(lambda: all(daemon.running(p) > b for p, b in zip(pids, before, strict=True)))
    assert [daemon.task(pid)["attributes"]["share"] for pid in pids] == ["30", "40"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Raises", "RuntimeError: no idea"),
        ("Exits", "SystemExit: 3"),
        ("Interrupts", "KeyboardInterrupt"),
        ("WrongType", "'int' object is not iterable"),
        ("Loops", "took longer than 50 ms"),
        ("Sleeps", "took longer than 50 ms"),
        ("LoopsInC", "in fail"),
    ],
)
def test_a_policy_that_fails_is_taken_out_of_service(
    serve: Serve, bursts: Regions, name: str, words: str
) -> None:
    daemon = serve("--policy", f"policies_that_fail:{name}")
    one, other = bursts("--priority", "1"), bursts("--priority", "2")
    assert eventually(lambda: daemon.events("failed"))
    (failed,) = daemon.events("failed")
    assert words in failed["traceback"]
    assert ("policies_that_fail.py" in failed["traceback"]) is (name != "WrongType")
    assert daemon.policy() == "priority"
    before = {pid: task_of(pid).launches for pid in (one.pid, other.pid)}
    assert eventually(lambda: all(task_of(pid).launches > before[pid] + 10 for pid in before))


def test_a_policy_that_always_wants_to_be_woken(serve: Serve, regions: Regions) -> None:
    daemon = serve("--policy", "policies_that_fail:Sleepless")
    pid = regions().pid
    assert eventually(lambda: daemon.running(pid) > 0.3)
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
    assert eventually(lambda: daemon.running(few) > 0.1 and daemon.running(many) > 0.1)
    launches = [task_on_gpu(pid).launches for pid in (many, few)]
    assert gets(daemon, (many, few), 0.75)
    did = [task_on_gpu(pid).launches - was for pid, was in zip((many, few), launches, strict=True)]
    assert did[0] > did[1]  # how many exactly, a simulated device on a busy machine cannot say


def task_on_gpu(pid: int) -> Task:
    (task,) = (task for task in page.Page.open(UUID).tasks() if task.pid == pid)
    return task


@pytest.mark.parametrize("name", ["Nonsense", "AllClosed"])
def test_a_decision_that_cannot_be_is_refused(serve: Serve, bursts: Regions, name: str) -> None:
    daemon = serve("--policy", f"policies_that_fail:{name}")
    process = bursts()
    assert eventually(lambda: daemon.events("refused"))
    assert len(daemon.events("refused")) < 10  # each is said once
    output, _ = process.communicate(timeout=30)
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
    before = daemon.running(second.pid)
    assert eventually(lambda: daemon.running(second.pid) > before + 0.5)


def test_a_page_that_is_deleted_is_left(serve: Serve, regions: Regions, giveway_dir: Path) -> None:
    daemon = serve("--policy", "rr")
    first = regions()
    assert eventually(lambda: daemon.running(first.pid) > 0)
    (giveway_dir / "cpu.page").unlink()
    assert eventually(lambda: daemon.events("device lost"))
    second = regions()
    assert eventually(lambda: daemon.running(second.pid) > 0.2)


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
