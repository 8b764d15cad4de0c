"""Strict priority."""

from __future__ import annotations

from giveway.policies.base import Policy, TaskView, View, everyone, only
from giveway.task import Decision, Event


class Priority(Policy):
    """Strict priority: while a task has work, all less urgent ones on its device wait.

    Tasks of equal priority run side by side. This is what the gates do by themselves where no
    daemon runs, and what the scheduler falls back to. Nothing here keeps a low priority from
    starving; the gates themselves do, with a quantum after ``max_wait``.

    Source: preemptive fixed priority, as in C. L. Liu and J. W. Layland, "Scheduling Algorithms for
    Multiprogramming in a Hard-Real-Time Environment", Journal of the ACM 20(1), 1973.
    """

    name = "priority"

    def decide(self, event: Event, view: View, now: int) -> list[Decision]:
        active = view.active(event.device)
        if not active:
            return [everyone(view, event.device)]
        top = max(map(self.urgency, active))
        urgent = [task for task in view.on(event.device) if self.urgency(task) >= top]
        return [only(event.device, urgent)]

    def urgency(self, task: TaskView) -> tuple[int, ...]:
        """What tasks are ordered by; bigger is more urgent."""
        return (task.attributes.priority,)
