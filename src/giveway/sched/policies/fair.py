"""Completely fair, with weights."""

from __future__ import annotations

from giveway.sched.policies.base import TaskView, View
from giveway.sched.policies.slices import SLICE_NS, TimeSliced
from giveway.sched.task import Active, Decision, Event, Idle, TaskId


class Fair(TimeSliced):
    """Divides the device's time in proportion to ``weight`` among the tasks that have work.

    The *virtual time* of a task advances while the task runs, inversely to its weight. Among the
    tasks that are not ahead of the mean virtual time, the task whose next slice would end first
    runs next. No task is ever ahead or behind by more than about a slice. Idle tasks save up no
    time: a task that becomes active starts no earlier than the mean of the others. A task with a
    shorter ``slice`` gets the same share, sooner. No task starves.

    Source: earliest eligible virtual deadline first: I. Stoica et al., "A Proportional Share
    Resource Allocation Algorithm for Real-Time, Time-Shared Systems", RTSS 1996; Linux's completely
    fair scheduler since 6.6.
    """

    name = "fair"

    def __init__(self, *, slice_ns: int = SLICE_NS) -> None:
        super().__init__(slice_ns=slice_ns)
        self._virtual: dict[TaskId, float] = {}
        self._claims: dict[TaskId, float] = {}
        self._last: dict[str, float] = {}  # virtual time of the last task to become idle

    def claims(self, active: list[TaskView]) -> dict[TaskId, float]:
        """The relative claims of the tasks on the device's time."""
        return {task.id: task.attributes.weight for task in active}

    def ready(self, view: View, device: str, now: int) -> tuple[list[TaskView], int | None]:
        active = view.active(device)
        self._claims |= self.claims(active)
        return active, None

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        mean = self._mean(waiting)
        eligible = [task for task in waiting if self._virtual[task.id] <= mean] or waiting
        return min(eligible, key=lambda task: (self._end(task), self.queue_position(task)))

    def preempts(self, newcomer: TaskView, current: TaskView, now: int) -> bool:
        return self._end(newcomer) < self._end(current)

    def charge(self, task: TaskView, ns: int) -> None:
        self._virtual[task.id] += ns / self._claims[task.id]

    def forget(self, task: TaskId) -> None:
        super().forget(task)
        self._virtual.pop(task, None)
        self._claims.pop(task, None)

    def decide(self, event: Event, view: View, now: int) -> list[Decision]:
        if isinstance(event, Active):
            others = [task for task in view.active(event.device) if task.id != event.task]
            start = self._mean(others) if others else self._last.get(event.device, 0.0)
            self._virtual[event.task] = max(self._virtual.get(event.task, start), start)
        decisions = super().decide(event, view, now)
        if isinstance(event, Idle):
            self._last[event.device] = self._virtual[event.task]
        return decisions

    def _mean(self, tasks: list[TaskView]) -> float:
        claims = [self._claims[task.id] for task in tasks]
        total = sum(c * self._virtual[task.id] for c, task in zip(claims, tasks, strict=True))
        return total / sum(claims)

    def _end(self, task: TaskView) -> float:
        """The virtual time of the task at the end of its next slice."""
        return self._virtual[task.id] + self.slice(task) / self._claims[task.id]
