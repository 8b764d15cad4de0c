"""Strict priority."""

from __future__ import annotations

from itertools import takewhile

from giveway.sched.policies.base import Policy, TaskView, View, everyone, only
from giveway.sched.task import Active, Decision, Event, Idle, Shares


class Priority(Policy):
    """Strict priority: while a task has work, all less urgent tasks on its device wait.

    Tasks of equal priority run side by side. The gates follow this policy by themselves where no
    daemon runs, and the scheduler falls back to it. The policy lets low priorities starve; the
    gates do not, because they grant a turn after ``max_wait``. A task that spends its slowdown
    makes no task wait meanwhile.

    Source: preemptive fixed priority, as in C. L. Liu and J. W. Layland, "Scheduling Algorithms for
    Multiprogramming in a Hard-Real-Time Environment", Journal of the ACM 20(1), 1973.
    """

    name = "priority"

    def __init__(self) -> None:
        self._ranked: dict[str, list[tuple[tuple[int, ...], TaskView]]] = {}
        """The tasks of each device, the most urgent first, so that no event has to sort them."""

    def decide(self, event: Event, view: View, now: int) -> list[Decision]:
        device = event.device
        if not isinstance(event, Active | Idle | Shares) or device not in self._ranked:
            ranked = [(self.urgency(task), task) for task in view.on(device)]
            self._ranked[device] = sorted(ranked, key=lambda each: each[0], reverse=True)
        ranked = self._ranked[device]
        top = next((urgency for urgency, task in ranked if task.active and not task.shares), None)
        if top is None:
            return [everyone(view, device)]
        return [only(device, [task for _, task in takewhile(lambda each: each[0] >= top, ranked)])]

    def urgency(self, task: TaskView) -> tuple[int, ...]:
        """The sort key of a task; bigger is more urgent."""
        return (task.attributes.priority,)
