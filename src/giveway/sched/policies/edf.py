"""Earliest deadline first."""

from __future__ import annotations

from giveway.sched.policies import parameters
from giveway.sched.policies.base import Policy, TaskView, View, everyone, only
from giveway.sched.task import Decision, Event


class EarliestDeadline(Policy):
    """The k tasks with the earliest deadlines run; a deadline is ``deadline`` after the task became
    active.

    With k = 1 every deadline is met if any schedule meets them all. Tasks without a deadline run
    by priority when no other task has work, and may starve. Under overload any task may starve. A
    task that starts its next job without becoming idle in between keeps the deadline of the first
    job.

    Source: C. L. Liu and J. W. Layland, "Scheduling Algorithms for Multiprogramming in a Hard-Real-
    Time Environment", Journal of the ACM 20(1), 1973.
    """

    name = "edf"

    def __init__(self, *, k: int = 1) -> None:
        self._k = parameters.whole("k of policy edf", k, 1, 256)

    def decide(self, event: Event, view: View, now: int) -> list[Decision]:
        active = view.active(event.device)
        if not active:
            return [everyone(view, event.device)]
        return [only(event.device, sorted(active, key=_urgency)[: self._k])]


def _urgency(task: TaskView) -> tuple[float, int, int]:
    deadline = task.attributes.deadline_ns
    due = float("inf") if deadline is None else task.since_ns + deadline
    return (due, -task.attributes.priority, task.since_ns)
