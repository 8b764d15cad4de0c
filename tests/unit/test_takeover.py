"""A change of the policy, on request of a user or because the policy fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from giveway.sched.policies import View
from giveway.sched.policies.edf import EarliestDeadline
from giveway.sched.policies.priority import Priority
from giveway.sched.scheduler import Scheduler
from giveway.sched.task import (
    Active,
    Attributes,
    Changed,
    Close,
    Event,
    Idle,
    Joined,
    Open,
    TaskId,
    Tick,
    WakeAt,
)
from tests.unit.scripted import HIGH, LOW, MS, OTHER, Scripted, quiet, says, with_tasks


def broken(_event: Event, view: View, _now: int) -> Iterable[Any]:
    yield Close(LOW)
    raise RuntimeError("no idea\nat all")


def exits(_event: Event, view: View, _now: int) -> Iterable[Any]:
    raise SystemExit(3)


def endless(_event: Event, view: View, _now: int) -> Iterable[Any]:
    while True:
        yield Open(LOW)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (broken, "no idea"),
        (exits, "SystemExit"),
        (endless, "no end of decisions"),
        (lambda *_: None, "not iterable"),
        (lambda *_: 5, "not iterable"),
        (lambda *_: [Open()], "missing 1 required"),
    ],
)
def test_a_policy_that_fails_is_replaced_by_strict_priority(wrong: Any, text: str) -> None:
    policy = Scripted(quiet)
    scheduler = with_tasks(policy)
    scheduler.handle(Active(LOW), 1)
    policy.answer = wrong
    answer = scheduler.handle(Active(HIGH), 2)
    assert answer.failure is not None
    assert "Traceback" in answer.failure
    assert text in answer.failure
    assert isinstance(scheduler.policy, Priority)
    assert answer.decisions == [Close(LOW, HIGH)]
    assert scheduler.handle(Idle(HIGH), 3).failure is None


def test_where_the_fallback_fails_too_nobody_waits() -> None:
    policy = Scripted(quiet)
    scheduler = Scheduler(policy, fallback=lambda: Scripted(broken))
    scheduler.handle(Joined(LOW, 1, "p"), 0)
    says(scheduler, Close(LOW))
    policy.answer = broken
    assert scheduler.handle(Tick("d0"), 1).decisions == [Open(LOW)]


def test_a_new_policy_is_told_all_and_tasks_lose_nothing() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Changed(LOW, Attributes(priority=7, weight=3.0)), 0)
    scheduler.handle(Active(LOW), 10)
    says(scheduler, WakeAt("d0", 5 * MS), now=20)
    scheduler.handle(Active(HIGH), 25)
    seen_active: list[list[TaskId]] = []
    policy = Scripted(
        lambda _, view, __: seen_active.append([t.id for t in view.active("d0")]) or ()
    )
    answer = scheduler.use(policy, 30)
    assert answer.decisions == [WakeAt("d0", None)]
    assert [event for event, _ in policy.seen] == [
        Joined(LOW, 10, "p10", Attributes(priority=7, weight=3.0)),
        Joined(HIGH, 11, "p11", Attributes(priority=5)),
        Joined(OTHER, 12, "p12", Attributes()),
        Active(LOW),
        Active(HIGH),
    ]
    assert seen_active == [[], [], [], [LOW], [LOW, HIGH]]
    assert scheduler.view.tasks[LOW].used(30) == 20
    assert scheduler.timers == {}


def test_what_a_new_policy_says_of_the_last_task_counts() -> None:
    scheduler = with_tasks(Scripted(quiet))
    for id_, deadline_ns in ((LOW, 20 * MS), (HIGH, 10 * MS)):
        scheduler.handle(Changed(id_, Attributes(deadline_ns=deadline_ns)), 0)
        scheduler.handle(Active(id_), 0)
    answer = scheduler.use(EarliestDeadline(), 1)
    assert answer.decisions == [Close(LOW, HIGH)]
    assert answer.refusals == []


def test_a_new_policy_that_fails_while_it_takes_over() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(LOW), 1)
    scheduler.handle(Active(HIGH), 1)

    def fails(event: Event, _view: View, _now: int) -> Iterable[Any]:
        if event == Active(LOW):
            raise RuntimeError("half way")
        return ()

    answer = scheduler.use(Scripted(fails), 2)
    assert answer.failure is not None
    assert answer.decisions == [Close(LOW, HIGH)]
    assert [task.id for task in scheduler.view.active("d0")] == [LOW, HIGH]


def test_the_host_can_take_a_policy_out_of_service() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(HIGH), 1)
    answer = scheduler.fall_back("took 80 ms", 2)
    assert answer.failure == "took 80 ms"
    assert answer.decisions == [Close(LOW, HIGH)]
    assert isinstance(scheduler.policy, Priority)
