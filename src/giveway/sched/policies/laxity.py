"""Least laxity first."""

from __future__ import annotations

from giveway.sched.policies.base import TaskView, View
from giveway.sched.policies.slices import SLICE_NS, TimeSliced
from giveway.sched.task import Active, Decision, Event, TaskId


class LeastLaxity(TimeSliced):
    """The task with the least laxity runs: ``laxity`` less its waiting time since it became active.

    Laxity is how long a task may still wait and meet its deadline: for a deadline of 20 ms and 5 ms
    of work it starts at 15 ms. It shrinks while the task waits and stays constant while the task
    runs, so the policy need not know how long the work takes. Without ``laxity`` the ``deadline``
    counts. A task runs for a slice before it is compared again; otherwise equal tasks would
    alternate without end. Tasks with neither attribute run when no other task has work, and may
    starve. Tasks with one of them do not starve.

    Source: A. K. Mok, "Fundamental Design Problems of Distributed Systems for the Hard-Real-Time
    Environment", Ph.D. thesis, MIT, 1983.
    """

    name = "laxity"

    def __init__(self, *, slice_ns: int = SLICE_NS) -> None:
        super().__init__(slice_ns=slice_ns)
        self._used_before: dict[TaskId, int] = {}

    def laxity(self, task: TaskView, now: int) -> float:
        """The laxity in nanoseconds; negative: the deadline can no longer be met."""
        attributes = task.attributes
        start = attributes.deadline_ns if attributes.laxity_ns is None else attributes.laxity_ns
        if start is None:
            return float("inf")
        ran = task.used(now) - self._used_before[task.id]
        return start - (now - task.since_ns - ran)

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        return min(
            waiting,
            key=lambda task: (
                self.laxity(task, now),
                -task.attributes.priority,
                self.queue_position(task),
            ),
        )

    def preempts(self, newcomer: TaskView, current: TaskView, now: int) -> bool:
        return self.laxity(newcomer, now) < self.laxity(current, now)

    def forget(self, task: TaskId) -> None:
        super().forget(task)
        self._used_before.pop(task, None)

    def decide(self, event: Event, view: View, now: int) -> list[Decision]:
        if isinstance(event, Active):
            self._used_before[event.task] = view.tasks[event.task].used(now)
        return super().decide(event, view, now)
