"""Completely fair, with weights."""

from __future__ import annotations

from collections.abc import Iterator

from giveway.policies.base import TaskView, View
from giveway.policies.turns import SLICE_NS, Turns
from giveway.task import Active, Decision, Event, TaskId


class Fair(Turns):
    """The device's time in proportion to ``weight``, among the tasks that have work.

    Each task's *virtual time* runs while it does, the slower the greater its weight; the one
    furthest behind is next. Who was idle has not saved up time: it starts where the others are,
    less one slice, so that who rarely has work need not wait for long. Nobody starves.

    Source: I. Molnár's Completely Fair Scheduler, Linux 2.6.23, 2007; virtual time is from A.
    Demers, S. Keshav and S. Shenker, "Analysis and Simulation of a Fair Queueing Algorithm",
    SIGCOMM 1989.
    """

    name = "fair"

    def __init__(self, *, slice_ns: int = SLICE_NS) -> None:
        super().__init__(slice_ns=slice_ns)
        self._virtual: dict[TaskId, float] = {}
        self._floors: dict[str, float] = {}

    def claim(self, task: TaskView, active: list[TaskView]) -> float:
        """The task's claim on the device's time, relative to those of others."""
        return task.attributes.weight

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        return min(waiting, key=lambda task: (self._virtual[task.id], self.place(task)))

    def preempts(
        self, newcomer: TaskView, current: TaskView, active: list[TaskView], now: int
    ) -> bool:
        behind = self._virtual[current.id] - self._virtual[newcomer.id]
        return behind * self.claim(newcomer, active) > self._slice_ns / 2

    def ran(self, task: TaskView, ns: int, active: list[TaskView]) -> None:
        self._virtual[task.id] += ns / self.claim(task, active)

    def forget(self, task: TaskId) -> None:
        super().forget(task)
        self._virtual.pop(task, None)

    def decide(self, event: Event, view: View, now: int) -> Iterator[Decision]:
        device = event.device
        if isinstance(event, Active):
            task = view.tasks[event.task]
            bonus = self._slice_ns / self.claim(task, view.active(device))
            least = self._floors.get(device, 0.0) - bonus
            self._virtual[task.id] = max(self._virtual.get(task.id, least), least)
        yield from super().decide(event, view, now)
        others = [self._virtual[task.id] for task in view.active(device)]
        self._floors[device] = max(self._floors.get(device, 0.0), min(others, default=0.0))
