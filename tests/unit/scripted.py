"""A policy whose decisions the test sets, and a scheduler with tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from giveway.sched.policies import Policy, View
from giveway.sched.scheduler import Answer, Decided, Scheduler
from giveway.sched.task import Attributes, Event, Joined, TaskId, Tick

LOW, HIGH, OTHER = TaskId("d0", 1), TaskId("d0", 2), TaskId("d1", 3)
MS = 1_000_000


class Scripted(Policy):
    """Returns the decisions that the test has set."""

    name = "scripted"

    def __init__(self, answer: Callable[[Event, View, int], Any]) -> None:
        self.answer = answer
        self.seen: list[tuple[Event, int]] = []

    def decide(self, event: Event, view: View, now: int) -> Iterable[Any]:
        self.seen.append((event, now))
        return self.answer(event, view, now)


def quiet(_event: Event, _view: View, _now: int) -> Iterable[Any]:
    return ()


def with_tasks(policy: Policy) -> Scheduler:
    """Two tasks on d0 and one on d1, all idle."""
    scheduler = Scheduler(policy)
    for id_, pid, priority in ((LOW, 10, 0), (HIGH, 11, 5), (OTHER, 12, 0)):
        scheduler.handle(Joined(id_, pid, f"p{pid}", Attributes(priority=priority)), 0)
    return scheduler


def decides(
    scheduler: Scheduler, *decisions: Any, event: Event | None = None, now: int = 0
) -> Decided:
    """The first of the two steps of `says`."""
    policy = scheduler.policy
    assert isinstance(policy, Scripted)
    policy.answer = lambda *_: decisions
    try:
        return scheduler.decide(event or Tick("d0"), now)
    finally:
        policy.answer = quiet


def says(
    scheduler: Scheduler,
    *decisions: Any,
    event: Event | None = None,
    now: int = 0,
) -> Answer:
    """The scheduler's result when the policy returns these decisions for an event."""
    return scheduler.settle(decides(scheduler, *decisions, event=event, now=now))
