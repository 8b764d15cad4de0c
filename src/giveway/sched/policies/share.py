"""A promised share of the device for each task."""

from __future__ import annotations

from giveway.sched.policies.base import TaskView
from giveway.sched.policies.fair import Fair
from giveway.sched.task import TaskId


class Share(Fair):
    """Each task with work gets at least its ``share`` of the device's time.

    Tasks without a share divide the unpromised time equally. Work-conserving: tasks with work use
    the time of idle tasks, in proportion to their own shares. If more than 100 % is promised, all
    shares shrink in proportion. No task starves.

    Source: the shares are the tickets of C. A. Waldspurger and W. E. Weihl, "Stride Scheduling:
    Deterministic Proportional-Share Resource Management", MIT/LCS/TM-528, 1995. The order of the
    tasks is that of `fair`.
    """

    name = "share"

    def claims(self, active: list[TaskView]) -> dict[TaskId, float]:
        promised = {
            task.id: task.attributes.share for task in active if task.attributes.share is not None
        }
        rest = max(100 - sum(promised.values()), 1) / max(len(active) - len(promised), 1)
        return {task.id: promised.get(task.id, rest) for task in active}
