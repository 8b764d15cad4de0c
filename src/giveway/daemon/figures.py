"""The daemon's measurements, for `giveway top` and for metrics."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

DECISION_BOUNDS: Final = (20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 5e-3, 50e-3)
"""Seconds."""
TASK_BOUNDS: Final = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
"""Seconds."""


class Histogram:
    """A histogram with fixed bucket bounds."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def to_json(self) -> dict[str, Any]:
        """The bounds, the count of each bucket (one more than bounds, for values above the last),
        and the sum."""
        return {"bounds": list(self._bounds), "counts": list(self._counts), "sum": self._sum}


@dataclass(slots=True)
class TaskFigures:
    """The measurements of one task, since the daemon has known it."""

    waits: Histogram = field(default_factory=lambda: Histogram(TASK_BOUNDS))
    """The duration in seconds of each wait: work, and a closed gate."""
    bursts: Histogram = field(default_factory=lambda: Histogram(TASK_BOUNDS))
    """The time in seconds from each becoming active to becoming idle."""
    waiting_since_ns: int | None = None
    active_since_ns: int | None = None

    def update(self, active: bool, may_run: bool, now: int) -> None:
        """Records the state of the task from ``now`` on."""
        if active and self.active_since_ns is None:
            self.active_since_ns = now
        elif not active and self.active_since_ns is not None:
            self.bursts.add((now - self.active_since_ns) / 1e9)
            self.active_since_ns = None
        waits = active and not may_run
        if waits and self.waiting_since_ns is None:
            self.waiting_since_ns = now
        elif not waits and self.waiting_since_ns is not None:
            self.waits.add((now - self.waiting_since_ns) / 1e9)
            self.waiting_since_ns = None


@dataclass(slots=True)
class Busy:
    """For how long at least one task ran on a device."""

    total_ns: int = 0
    since_ns: int | None = None

    def update(self, busy: bool, now: int) -> None:
        if busy and self.since_ns is None:
            self.since_ns = now
        elif not busy and self.since_ns is not None:
            self.total_ns += now - self.since_ns
            self.since_ns = None

    def seconds(self, now: int) -> float:
        since = now if self.since_ns is None else self.since_ns
        return (self.total_ns + now - since) / 1e9
