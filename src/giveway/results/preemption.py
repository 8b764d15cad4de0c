"""Preemption latency: from the closing of a gate until the device no longer works for its task."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from giveway.sched.task import Task

UNKNOWN: Final = "the end of the work in flight was not recorded"
UNRECORDED: Final = "no timeline was recorded"
NEVER: Final = "the program was not preempted while the timeline was recorded"


@dataclass(slots=True)
class Closing:
    """The closing of a gate while its task had work; times in seconds on the monotonic clock."""

    closed: float
    held: float
    """The time of the last sample in which the gate was still closed."""
    stopped: float | None = None
    """When the running work had stopped; None if the page does not say."""


class Closings:
    """Collects the closings of one program from samples of its tasks."""

    def __init__(self) -> None:
        self.found: list[Closing] = []
        self._counts: dict[int, int] = {}
        self._last: dict[int, Closing] = {}

    def update(self, now: float, tasks: Iterable[Task]) -> None:
        """Adds one sample, which was taken no earlier than ``now``."""
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
    """The median and the largest preemption latency of a program in milliseconds, and their number.

    Args:
        timelines: records of kind ``timeline``, of one mode.
        program: the name of the program.
    """
    timelines = list(timelines)
    found = [seconds for each in timelines for seconds in _latencies(each, program)]
    if found:
        value, longest = (
            round(1e3 * seconds, 4) for seconds in (statistics.median(found), max(found))
        )
        return {"value": value, "longest": longest, "closings": len(found), "reason": None}
    closings = any(each.get("closings", {}).get(program) for each in timelines)
    reason = UNKNOWN if closings else NEVER if timelines else UNRECORDED
    return {"value": None, "longest": None, "closings": 0, "reason": reason}


def _latencies(timeline: Mapping[str, Any], program: str) -> Iterator[float]:
    device = timeline.get("device", {}).get(program)
    for closed, held, stopped in timeline.get("closings", {}).get(program, []):
        if stopped is not None:
            yield stopped - closed
        elif device is not None and held > closed:
            # Work that began while the task was sampled as held passed the closed gate.
            over = [ended for began, ended in device if began <= held and ended > closed]
            yield max(over, default=closed) - closed
