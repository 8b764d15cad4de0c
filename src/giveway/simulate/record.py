"""Records when each task ran and when it was held, for a plot."""

from __future__ import annotations

from dataclasses import dataclass, field

from giveway.sched.task import TaskId
from giveway.simulate.parts import SimTask

Span = tuple[int, int]
"""Begin and end, in nanoseconds."""


@dataclass(slots=True)
class Record:
    """The spans of all tasks, clipped to the time from ``begin_ns`` to ``end_ns``."""

    begin_ns: int
    end_ns: int
    runs: dict[TaskId, list[Span]] = field(default_factory=dict)
    holds: dict[TaskId, list[Span]] = field(default_factory=dict)

    def ran(self, task: SimTask, begin: int, end: int) -> None:
        self._add(self.runs, task, begin, end)

    def held(self, task: SimTask, begin: int, end: int) -> None:
        self._add(self.holds, task, begin, end)

    def _add(self, spans: dict[TaskId, list[Span]], task: SimTask, begin: int, end: int) -> None:
        begin, end = max(begin, self.begin_ns), min(end, self.end_ns)
        if begin >= end:
            return
        mine = spans.setdefault(task.id, [])
        if mine and mine[-1][1] == begin:
            begin = mine.pop()[0]  # merge back-to-back launches
        mine.append((begin, end))
