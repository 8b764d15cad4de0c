"""Round robin."""

from __future__ import annotations

from giveway.sched.policies.base import TaskView
from giveway.sched.policies.slices import TimeSliced


class RoundRobin(TimeSliced):
    """Tasks run one after another, each for its slice. No task starves: of n tasks with work, each
    waits for n - 1 slices.

    Source: L. Kleinrock, "Analysis of a Time-Shared Processor", Naval Research Logistics Quarterly
    11(1), 1964.
    """

    name = "rr"

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        return min(waiting, key=self.queue_position)
