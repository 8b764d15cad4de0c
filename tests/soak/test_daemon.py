"""Who gets how much of real devices under a daemon's policies: each beside a control."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions, Serve
from tests.system.daemons import Daemon
from tests.system.fake_gpu import UUID
from tests.system.watching import stands_still, task_of
from tests.waiting import eventually

SECONDS = 8.0
"""How long a share is measured."""


def shares(daemon: Daemon, pids: tuple[int, int]) -> float:
    """The first program's share of the running time of both in the coming seconds."""

    def ran() -> list[float]:
        tasks = {task["pid"]: task["running_seconds"] for task in daemon.status()["tasks"]}
        return [tasks[pid] for pid in pids]

    assert eventually(lambda: all(daemon.running(pid) > 0 for pid in pids))
    before = ran()
    time.sleep(SECONDS)
    first, second = (now - was for now, was in zip(ran(), before, strict=True))
    return first / (first + second)


@pytest.fixture(params=["cpu", "cuda"])
def start(request: pytest.FixtureRequest, spawn: Spawner) -> Callable[..., int]:
    """Starts a busy program on a device; its pid."""
    if request.param == "cpu":
        regions: Regions = request.getfixturevalue("regions")
        return lambda *options: regions(*options).pid
    cuda: Path = request.getfixturevalue("cuda")
    burst = (str(cuda / "burst"), "other", "120", "200", "50")
    return lambda *options: spawn(GIVEWAY, "run", "-d", "cuda", *options, "--", *burst).pid


def test_shares_are_kept_to_a_twentieth(serve: Serve, start: Callable[..., int]) -> None:
    daemon = serve("--policy", "rr")
    pids = start("--share", "75"), start("--share", "25")
    control = shares(daemon, pids)
    daemon.policy("share")
    promised = shares(daemon, pids)
    assert abs(control - 0.5) < 0.05
    assert abs(promised - 0.75) < 0.05


def test_a_share_can_be_changed_while_it_counts(
    serve: Serve, regions: Regions, giveway: Runner
) -> None:
    daemon = serve("--policy", "share")
    pids = regions("--share", "10").pid, regions("--share", "90").pid
    before = shares(daemon, pids)
    for pid, share in zip(pids, (90, 10), strict=True):
        assert giveway("set", str(pid), f"share={share}").returncode == 0
    assert eventually(lambda: daemon.task(pids[1])["attributes"]["share"] == "10")
    assert abs(before - 0.1) < 0.05
    assert abs(shares(daemon, pids) - 0.9) < 0.05


def test_launches_on_a_gpu_follow_the_shares(serve: Serve, spawn: Spawner, cuda: Path) -> None:
    daemon = serve("--policy", "share")

    def begin(share: str) -> int:
        run = (GIVEWAY, "run", "-d", "cuda", "--share", share)
        return spawn(*run, "--", str(cuda / "burst"), "other", "120", "200", "50").pid

    pids = begin("75"), begin("25")
    assert eventually(lambda: all(daemon.running(pid) > 0 for pid in pids))
    before = [task_of(pid, UUID).launches for pid in pids]
    shares(daemon, pids)
    many, few = (task_of(p, UUID).launches - b for p, b in zip(pids, before, strict=True))
    assert many > few


def test_the_earliest_deadline_is_never_held(
    serve: Serve, regions: Regions, bursts: Regions
) -> None:
    daemon = serve("--policy", "edf")
    patient, urgent = regions("--deadline", "60s").pid, bursts("--deadline", "20ms").pid
    time.sleep(SECONDS)
    held = [event["pid"] for event in daemon.events("held")]
    assert held.count(patient) > 100
    assert held.count(urgent) == 0


def test_a_paused_task_has_no_turn(serve: Serve, regions: Regions) -> None:
    daemon = serve()
    paused, other = regions().pid, regions().pid
    assert eventually(lambda: daemon.task(paused))
    daemon.pause(paused)
    assert eventually(lambda: stands_still(paused, other))
    before = [task_of(pid).launches for pid in (paused, other)]
    time.sleep(SECONDS)
    after = [task_of(pid).launches for pid in (paused, other)]
    assert (after[0] - before[0], after[1] > before[1] + 100) == (0, True)
