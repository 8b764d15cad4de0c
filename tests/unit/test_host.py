"""The daemon's host over a virtual page: policies, requests of users, and failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from giveway.daemon.limit import TooSlowError
from giveway.errors import PageError
from giveway.page.decider import Flags, Gate
from giveway.sched.policies import registry
from tests.system import policies_that_fail as failing
from tests.unit.virtual_page import MS, Machine, NoLimit


def on(policy: str) -> Machine:
    return Machine(registry.make(policy))


@pytest.mark.parametrize("share", [75, 90, 50])
def test_shares_are_kept(share: int) -> None:
    machine = on("share")
    many, few = machine.page.join(f"share={share}"), machine.page.join(f"share={100 - share}")
    machine.run(4000)
    assert machine.ran(many) + machine.ran(few) == pytest.approx(4, abs=0.01)
    assert machine.ran(many) / 4 == pytest.approx(share / 100, abs=0.02)


def test_an_attribute_can_be_changed_while_it_counts() -> None:
    machine = on("share")
    first, second = machine.page.join("share=10"), machine.page.join("share=90")
    machine.run(2000)
    for row, share in ((first, 90), (second, 10)):
        row.attributes = f"share={share}"
        machine.page.tell(row, Flags.CHANGED)
    machine.run(100)
    before = machine.ran(first)
    machine.run(4000)
    assert (machine.ran(first) - before) / 4 == pytest.approx(0.9, abs=0.02)
    assert machine.task(first)["attributes"]["share"] == "90"


def test_the_earliest_deadline_goes_first() -> None:
    machine = on("edf")
    patient = machine.page.join("deadline=60s")
    urgent = machine.page.join("deadline=20ms", work_ns=2 * MS, period_ns=20 * MS)
    machine.run(2000)
    held = machine.events("held")
    assert {event["name"] for event in held} == {"task1"}
    assert {event["by"]["name"] for event in held} == {"task2"}
    assert len(held) == pytest.approx(100, abs=2)
    assert urgent.done == pytest.approx(100, abs=2)
    assert machine.ran(patient) > 1.6


def test_an_event_says_who_was_held_for_whom_and_why() -> None:
    machine = on("rr")
    rows = machine.page.join(), machine.page.join()
    machine.run(1000)
    names = {f"task{row.ticket}" for row in rows}
    held = machine.events("held")
    assert len(held) > 10
    assert all({event["name"], event["by"]["name"]} == names for event in held)
    assert {event["why"] for event in held} == {"rr"}
    numbers = [event["event"] for event in machine.host.log.after(0)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_policies_are_switched_and_tasks_lose_nothing() -> None:
    machine = on("priority")
    rows = [machine.page.join(f"share={share}") for share in (30, 40)]
    machine.run(1)
    names = ["share", "rr,slice=2ms", "fair", "mlfq", "edf,k=2", "group-share", "nice", "laxity"]
    for name in names:
        before = machine.ran(rows[0]) + machine.ran(rows[1])
        machine.host.use(registry.make(name))
        assert machine.ran(rows[0]) + machine.ran(rows[1]) == before
        machine.run(500)
        assert machine.host.scheduler.policy.name == name.partition(",")[0]
        # A group's share is also a limit, so the device may be idle for a part of these 500 ms.
        assert machine.ran(rows[0]) + machine.ran(rows[1]) > before + 0.1
    assert [e["policy"] for e in machine.events("policy")] == [n.partition(",")[0] for n in names]
    assert machine.events("failed", "refused") == []
    assert [machine.task(row)["attributes"]["share"] for row in rows] == ["30", "40"]


class Impatient(NoLimit):
    """Interrupts the twentieth call, as the real limit does one that takes too long."""

    def __init__(self) -> None:
        self.calls = 0

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls == 20:
            raise TooSlowError("took longer than 50 ms")
        return function(*args, **kwargs)


@pytest.mark.parametrize(
    ("policy", "limit", "words"),
    [
        (failing.Raises(), None, "RuntimeError: no idea"),
        (failing.Exits(), None, "SystemExit: 3"),
        (failing.Interrupts(), None, "KeyboardInterrupt"),
        (failing.WrongType(), None, "'int' object is not iterable"),
        (registry.make("rr"), Impatient(), "took longer than 50 ms"),
    ],
)
def test_a_policy_that_fails_is_taken_out_of_service(policy: Any, limit: Any, words: str) -> None:
    machine = Machine(policy, limit)
    first = machine.page.join(work_ns=2 * MS, period_ns=20 * MS)
    other = machine.page.join(work_ns=2 * MS, period_ns=20 * MS)
    machine.run(1000)
    (failed,) = machine.events("failed")
    assert (failed["policy"], words in failed["traceback"]) == (policy.name, True)
    assert machine.host.scheduler.policy.name == "priority"
    assert [first.done, other.done] == pytest.approx([50, 50], abs=2)


@pytest.mark.parametrize("policy", [failing.Nonsense(), failing.AllClosed()])
def test_a_decision_that_cannot_be_is_refused_and_said_once(policy: Any) -> None:
    machine = Machine(policy)
    row = machine.page.join(work_ns=2 * MS, period_ns=20 * MS)
    machine.run(1000)
    refused = machine.events("refused")
    assert 0 < len(refused) < 10
    assert len({event["why"] for event in refused}) == len(refused)
    assert machine.events("failed") == []
    assert machine.host.scheduler.policy is policy
    assert row.done == pytest.approx(50, abs=2)


def test_a_policy_that_always_wants_to_be_woken_keeps_nobody_waiting() -> None:
    machine = Machine(failing.Sleepless())
    row = machine.page.join()
    machine.run(100)
    assert machine.host.seconds_to_tick() == 0
    assert machine.ran(row) == pytest.approx(0.1, abs=0.001)


def test_a_paused_task_waits_until_it_is_resumed_and_nobody_for_it() -> None:
    machine = on("rr")
    first, second = machine.page.join(), machine.page.join()
    machine.run(1000)
    machine.pause(first, True)
    assert first.gate is Gate.PAUSED
    assert machine.task(first)["paused"]
    ran = machine.ran(first), machine.ran(second)
    machine.run(3000)
    assert machine.ran(first) == ran[0]
    assert machine.ran(second) >= ran[1] + 2.99
    machine.pause(first, False)
    machine.run(1000)
    assert machine.ran(first) == pytest.approx(ran[0] + 0.5, abs=0.05)
    assert [e["what"] for e in machine.events("paused", "resumed")] == ["paused", "resumed"]


def test_a_task_that_left_is_forgotten_and_its_turns_go_to_others() -> None:
    machine = on("rr")
    first, second = machine.page.join(), machine.page.join()
    machine.run(1000)
    machine.page.leave_row(first)
    machine.run(10)
    assert [event["name"] for event in machine.events("left")] == ["task1"]
    before = machine.ran(second)
    machine.run(1000)
    assert machine.ran(second) >= before + 0.99
    assert machine.events("failed") == []


def test_a_page_that_is_lost_is_left() -> None:
    machine = on("rr")
    machine.page.join()
    machine.run(100)
    machine.page.is_lost, machine.page.error = True, PageError("it cannot be read")
    machine.run(100)
    (lost,) = machine.events("device lost")
    assert (lost["device"], lost["why"]) == ("cpu", "it was deleted")
    assert (machine.host.pages, machine.host.tasks) == ({}, {})
    assert not machine.page.is_decided


def test_what_could_not_be_written_is_written_at_the_next_beat() -> None:
    machine = on("priority")
    low = machine.page.join()
    high = machine.page.join("priority=5")
    machine.run(10)
    machine.page.error = PageError("its lock cannot be had just now")
    machine.pause(high, True)
    assert high.gate is Gate.OPEN
    assert machine.events("page")[0]["why"] == "its lock cannot be had just now"
    machine.page.error = None
    machine.run(200)
    assert (high.gate, low.gate) == (Gate.PAUSED, Gate.OPEN)
    assert machine.events("device lost") == []


@pytest.mark.parametrize("policy", ["priority", "nice", "window", "priority-across"])
def test_beside_a_task_that_spends_its_slowdown_the_next_class_runs(policy: str) -> None:
    machine = on(policy)
    urgent = machine.page.join("slowdown=10% focused=yes", priority=10)
    middle, low = machine.page.join(priority=5), machine.page.join()
    machine.run(10)
    steps = [[row.gate is Gate.OPEN for row in (urgent, middle, low)]]
    for shares in (True, False):
        machine.page.share(urgent, shares)
        machine.run(10)
        steps.append([row.gate is Gate.OPEN for row in (urgent, middle, low)])
    next_class = [True, True, False]
    assert steps == [[True, False, False], next_class, [True, False, False]]


def test_a_policy_that_knows_no_slack_is_left_alone() -> None:
    machine = on("rr")
    urgent = machine.page.join("slowdown=10%")
    other = machine.page.join()
    machine.page.share(urgent, True)
    machine.run(1000)
    assert machine.ran(urgent) + machine.ran(other) == pytest.approx(1, abs=0.02)
