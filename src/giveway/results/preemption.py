"""How long a program takes to give way: from its gate closed to the device free of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from giveway.sched.task import Task

UNKNOWN: Final = "nobody noted when the device was done with what was in flight"
NEVER: Final = "it was not preempted while the timeline was recorded"


@dataclass(slots=True)
class Closing:
    """A gate that closed on a task with work; times on the monotonic clock, in seconds."""

    closed: float
    held: float
    """Until when, at least, it was still closed."""
    stopped: float | None = None
    """When what ran had stopped, where the page says so."""


class Closings:
    """Those of one program, from samples of its tasks."""

    def __init__(self) -> None:
        self.found: list[Closing] = []
        self._counts: dict[int, int] = {}
        self._last: dict[int, Closing] = {}

    def look(self, now: float, tasks: Iterable[Task]) -> None:
        """One sample, taken no earlier than ``now``."""
        for task in tasks:
            if task.preemptions > self._counts.setdefault(task.ticket, task.preemptions):
                self._counts[task.ticket] = task.preemptions
                self._last[task.ticket] = Closing(task.closed_seconds, task.closed_seconds)
                self.found.append(self._last[task.ticket])
            last = self._last.get(task.ticket)
            if last is None or last.closed != task.closed_seconds:
                continue
            if task.state == "held":
                last.held = max(last.held, now)
            if task.stopped_seconds >= last.closed:
                last.stopped = task.stopped_seconds


def latency(timelines: Iterable[Mapping[str, Any]], program: str) -> dict[str, Any]:
    """Of the closings of a program in timelines: the median, the longest, how many; milliseconds.

    Args:
        timelines: records of kind ``timeline``.
        program: the name of the program.
    """
    found = [seconds for each in timelines for seconds in _latencies(each, program)]
    if found:
        value, longest = (
            round(1e3 * seconds, 4) for seconds in (statistics.median(found), max(found))
        )
        return {"value": value, "longest": longest, "closings": len(found), "reason": None}
    closings = any(each.get("closings", {}).get(program) for each in timelines)
    reason = UNKNOWN if closings else NEVER
    return {"value": None, "longest": None, "closings": 0, "reason": reason}


def _latencies(timeline: Mapping[str, Any], program: str) -> Iterator[float]:
    device = timeline.get("device", {}).get(program)
    for closed, held, stopped in timeline.get("closings", {}).get(program, []):
        if stopped is not None:
            yield stopped - closed
        elif device is not None and held > closed:
            # What began while it was seen held began in spite of the gate.
            over = [ended for began, ended in device if began <= held and ended > closed]
            yield max(over, default=closed) - closed
