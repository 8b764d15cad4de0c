"""A share of the device for each process or group, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from giveway.sched.policies import parameters
from giveway.sched.policies.base import TaskView, View
from giveway.sched.policies.slices import SLICE_NS, TimeSliced
from giveway.sched.task import Changed, Decision, Event, Joined, Left

PERIOD_NS = 100_000_000

Group: TypeAlias = str | int
"""The name of a group, or the pid of a process without a group."""


@dataclass(slots=True)
class _Budget:
    """The quotas and the spent time of one device, in nanoseconds."""

    began: int
    """When the current period began."""
    quotas: dict[Group, float] = field(default_factory=dict)
    spent: dict[Group, float] = field(default_factory=dict)

    def left(self, task: TaskView) -> float:
        group = group_of(task)
        return self.quotas[group] - self.spent.get(group, 0)


class GroupShare(TimeSliced):
    """Each ``group`` (else each process) gets ``share`` of every 100 ms, and never more.

    The share of a group is the largest share of its tasks. Not work-conserving: time that a group
    does not use is not lent to others, so that a program is as fast with rivals as without. Groups
    without a share divide the unpromised time equally, at least 1 % in all. No task starves.

    Source: quota and period as in P. Turner, B. B. Rao and N. Rao, "CPU bandwidth control for CFS",
    Linux Symposium 2010.
    """

    name = "group-share"

    def __init__(self, *, period_ns: int = PERIOD_NS, slice_ns: int = SLICE_NS) -> None:
        super().__init__(slice_ns=slice_ns)
        # All tasks of a device may be held for a second at most; see MAX_ALL_HELD_NS.
        self._period_ns = parameters.time(
            "period of policy group-share", period_ns, 1_000_000, 900_000_000
        )
        self._budgets: dict[str, _Budget] = {}

    def charge(self, task: TaskView, ns: int) -> None:
        spent, group = self._budgets[task.id.device].spent, group_of(task)
        spent[group] = spent.get(group, 0) + ns

    def ready(self, view: View, device: str, now: int) -> tuple[list[TaskView], int | None]:
        budget = self._budgets.setdefault(device, _Budget(now))
        budget.quotas = quotas = budget.quotas or shares(view.on(device), self._period_ns)
        periods = (now - budget.began) // self._period_ns
        if periods > 0:
            budget.began += periods * self._period_ns
            # A late wake-up lets a group overrun its quota: the excess counts in this period.
            budget.spent = {
                group: max(0, spent - periods * quotas[group])
                for group, spent in budget.spent.items()
                if group in quotas
            }
        active = view.active(device)
        again_ns = budget.began + self._period_ns if active else None
        return [task for task in active if budget.left(task) > 0], again_ns

    def decide(self, event: Event, view: View, now: int) -> list[Decision]:
        if isinstance(event, Joined | Left | Changed) and event.device in self._budgets:
            self._budgets[event.device].quotas = {}
        return super().decide(event, view, now)

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        budget = self._budgets[waiting[0].id.device]

        def order(task: TaskView) -> tuple[float, int]:
            return (-budget.left(task) / budget.quotas[group_of(task)], self.queue_position(task))

        return min(waiting, key=order)

    def slice(self, task: TaskView) -> int:
        return min(super().slice(task), int(self._budgets[task.id.device].left(task)) + 1)


def shares(tasks: Sequence[TaskView], whole: float) -> dict[Group, float]:
    """The part of ``whole`` that each group of these tasks gets."""
    promised = dict.fromkeys(map(group_of, tasks), 0.0)
    for task in tasks:
        promised[group_of(task)] = max(promised[group_of(task)], task.attributes.share or 0.0)
    without = sum(not share for share in promised.values())
    rest = max(100 - sum(promised.values()), 1) / max(without, 1)
    return {group: (share or rest) * whole / 100 for group, share in promised.items()}


def group_of(task: TaskView) -> Group:
    """The group that the task's time is charged to."""
    return task.attributes.group or task.pid
