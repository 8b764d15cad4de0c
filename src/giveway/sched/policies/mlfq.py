"""Multi-level feedback queues."""

from __future__ import annotations

from giveway.sched.policies import parameters
from giveway.sched.policies.base import TaskView, View
from giveway.sched.policies.slices import SLICE_NS, TimeSliced
from giveway.sched.task import Decision, Event, TaskId


class MultiLevelFeedback(TimeSliced):
    """Short work first, without knowing in advance which work is short.

    A task starts at the top level. A task that has run for a slice, at once or in pieces, moves one
    level down, where slices are twice as long. A level runs round robin when the levels above it
    have no work. Every ``boost`` all tasks return to the top level, so that no task starves.

    Source: F. J. Corbató, M. Merwin-Daggett and R. C. Daley, "An Experimental Time-Sharing System",
    AFIPS SJCC 1962; the rules are those of R. H. and A. C. Arpaci-Dusseau, "Operating Systems:
    Three Easy Pieces", chapter 8.
    """

    name = "mlfq"

    def __init__(
        self, *, levels: int = 4, slice_ns: int = SLICE_NS, boost_ns: int = 1_000_000_000
    ) -> None:
        super().__init__(slice_ns=slice_ns)
        self._lowest = parameters.whole("levels of policy mlfq", levels, 1, 20) - 1
        self._boost_ns = parameters.time(
            "boost of policy mlfq", boost_ns, 1_000_000, parameters.HOUR_NS
        )
        self._boosted: dict[str, int] = {}
        self._levels: dict[TaskId, int] = {}
        self._spent: dict[TaskId, int] = {}

    def level(self, task: TaskView) -> int:
        """The level of the task; 0 is the top."""
        return self._levels.get(task.id, 0)

    def slice(self, task: TaskView) -> int:
        return super().slice(task) << self.level(task)

    def pick(self, waiting: list[TaskView], now: int) -> TaskView:
        return min(waiting, key=lambda task: (self.level(task), self.queue_position(task)))

    def preempts(self, newcomer: TaskView, current: TaskView, now: int) -> bool:
        return self.level(newcomer) < self.level(current)

    def charge(self, task: TaskView, ns: int) -> None:
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
