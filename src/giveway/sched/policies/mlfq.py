"""Multi-level feedback queues."""

from __future__ import annotations

from giveway.errors import UsageError
from giveway.sched.policies.base import TaskView, View
from giveway.sched.policies.turns import SLICE_NS, Turns
from giveway.sched.task import Decision, Event, TaskId


class MultiLevelFeedback(Turns):
    """Short work first, without being told what is short.

    A task starts at the top level. Whoever has run for a slice there, at once or in pieces, goes a
    level down, where slices are twice as long; a level runs when those above have no work, in turn.
    Every ``boost`` all go back to the top, so nobody starves.

    Source: F. J. Corbató, M. Merwin-Daggett and R. C. Daley, "An Experimental Time-Sharing System",
    AFIPS SJCC 1962; the rules are those of R. H. and A. C. Arpaci-Dusseau, "Operating Systems:
    Three Easy Pieces", chapter 8.
    """

    name = "mlfq"

    def __init__(
        self, *, levels: int = 4, slice_ns: int = SLICE_NS, boost_ns: int = 1_000_000_000
    ) -> None:
        if levels < 1:
            raise UsageError(f"levels of policy mlfq cannot be {levels}: there is at least one")
        super().__init__(slice_ns=slice_ns)
        self._lowest = levels - 1
        self._boost_ns = boost_ns
        self._boosted: dict[str, int] = {}
        self._levels: dict[TaskId, int] = {}
        self._spent: dict[TaskId, int] = {}

    def level(self, task: TaskView) -> int:
        """0 is the top."""
        return self._levels.get(task.id, 0)

    def slice(self, task: TaskView) -> int:
        return super().slice(task) << self.level(task)

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        return min(waiting, key=lambda task: (self.level(task), self.place(task)))

    def preempts(self, newcomer: TaskView, current: TaskView, now: int) -> bool:
        return self.level(newcomer) < self.level(current)

    def ran(self, task: TaskView, ns: int) -> None:
        spent = self._spent.get(task.id, 0) + ns
        while spent >= self.slice(task) and self.level(task) < self._lowest:
            spent -= self.slice(task)
            self._levels[task.id] = self.level(task) + 1
        self._spent[task.id] = spent

    def forget(self, task: TaskId) -> None:
        super().forget(task)
        self._levels.pop(task, None)
        self._spent.pop(task, None)

    def decide(self, event: Event, view: View, now: int) -> list[Decision]:
        if now >= self._boosted.setdefault(event.device, now) + self._boost_ns:
            self._boosted[event.device] = now
            for task in view.on(event.device):
                self._levels.pop(task.id, None)
                self._spent.pop(task.id, None)
        return super().decide(event, view, now)
