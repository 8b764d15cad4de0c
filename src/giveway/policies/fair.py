"""Completely fair, with weights."""

from __future__ import annotations

from collections.abc import Iterator

from giveway.policies.base import TaskView, View
from giveway.policies.turns import SLICE_NS, Turns
from giveway.task import Active, Decision, Event, TaskId


class Fair(Turns):
    """The device's time in proportion to ``weight``, among the tasks that have work.

    Each task's *virtual time* runs while it does, the slower the greater its weight. Of those that
    are not ahead of the mean, the one whose next slice would end first is next: nobody is ever
    ahead or behind by more than about a slice. Who was idle has not saved up time: it starts where
    the others are. A task with a shorter ``slice`` gets as much as before, and sooner. Nobody
    starves.

    Source: earliest eligible virtual deadline first: I. Stoica et al., "A Proportional Share
    Resource Allocation Algorithm for Real-Time, Time-Shared Systems", RTSS 1996; Linux's completely
    fair scheduler since 6.6.
    """

    name = "fair"

    def __init__(self, *, slice_ns: int = SLICE_NS) -> None:
        super().__init__(slice_ns=slice_ns)
        self._virtual: dict[TaskId, float] = {}
        self._means: dict[str, float] = {}

    def claim(self, task: TaskView, active: list[TaskView]) -> float:
        """The task's claim on the device's time, relative to those of others."""
        return task.attributes.weight

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        mean = self._mean(waiting)
        eligible = [task for task in waiting if self._virtual[task.id] <= mean] or waiting
        return min(eligible, key=lambda task: (self._end(task, waiting), self.place(task)))

    def preempts(
        self, newcomer: TaskView, current: TaskView, active: list[TaskView], now: int
    ) -> bool:
        return self._end(newcomer, active) < self._end(current, active)

    def ran(self, task: TaskView, ns: int, active: list[TaskView]) -> None:
        self._virtual[task.id] += ns / self.claim(task, active)

    def forget(self, task: TaskId) -> None:
        super().forget(task)
        self._virtual.pop(task, None)

    def decide(self, event: Event, view: View, now: int) -> Iterator[Decision]:
        active = view.active(event.device)
        if isinstance(event, Active):
            task = view.tasks[event.task]
            start = self._means.get(event.device, 0.0)
            self._virtual[task.id] = max(self._virtual.get(task.id, start), start)
        yield from super().decide(event, view, now)
        if active:
            self._means[event.device] = self._mean(active)

    def _mean(self, tasks: list[TaskView]) -> float:
        claims = [self.claim(task, tasks) for task in tasks]
        total = sum(c * self._virtual[task.id] for c, task in zip(claims, tasks, strict=True))
        return total / sum(claims)

    def _end(self, task: TaskView, active: list[TaskView]) -> float:
        """The virtual time at the end of its next slice."""
        return self._virtual[task.id] + self.slice(task) / self.claim(task, active)
