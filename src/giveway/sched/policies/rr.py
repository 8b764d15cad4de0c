"""Round robin."""

from __future__ import annotations

from giveway.sched.policies.base import TaskView
from giveway.sched.policies.turns import Turns


class RoundRobin(Turns):
    """Everybody in turn, each for its slice; nobody starves: of n tasks with work each runs after n
    - 1 slices of others.

    Source: L. Kleinrock, "Analysis of a Time-Shared Processor", Naval Research Logistics Quarterly
    11(1), 1964.
    """

    name = "rr"

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        return min(waiting, key=self.place)
