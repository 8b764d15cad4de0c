"""A promised share of the device for each task."""

from __future__ import annotations

from giveway.policies.base import TaskView
from giveway.policies.fair import Fair


class Share(Fair):
    """Each task with work gets at least its ``share`` of the device's time.

    Tasks without a share have what is not promised, in equal parts. What somebody does not use is
    lent to those with work, in proportion to what they have. Where more than 100 % is promised, all
    get less, in proportion. Nobody starves.

    Source: the shares are the tickets of C. A. Waldspurger and W. E. Weihl, "Stride Scheduling:
    Deterministic Proportional-Share Resource Management", MIT/LCS/TM-528, 1995; who is next is
    decided as in `fair`.
    """

    name = "share"

    def claim(self, task: TaskView, active: list[TaskView]) -> float:
        if task.attributes.share is not None:
            return task.attributes.share
        promised = [
            other.attributes.share for other in active if other.attributes.share is not None
        ]
        without = max(1, len(active) - len(promised))
        return max(100 - sum(promised), 1) / without
