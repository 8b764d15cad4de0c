"""What `giveway top` works out between two looks at the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from giveway.sched.task import Task


@dataclass(frozen=True, slots=True)
class Rate:
    """A task, and what it did since the last look."""

    task: Task
    launches: float
    """Launches per second."""
    held: float
    """Threads held on average: 0.5 is one thread for half of the time."""
    share: float | None = None
    """Of the time since the last look, in which it ran; None: nobody counts."""
    at: float = 0.0
    """When it was seen."""


SORTS: Final = {"p": "priority", "l": "launches", "h": "held", "n": "name"}

_KEYS: Final[dict[str, Callable[[Rate], Any]]] = {
    "p": lambda rate: -rate.task.priority,
    "l": lambda rate: -rate.launches,
    "h": lambda rate: -rate.held,
    "n": lambda rate: rate.task.name,
}


class Rates:
    """The tasks of the last look, against those of the one before."""

    def __init__(self) -> None:
        self._running: Mapping[tuple[str, int], float] = {}
        self._rates: dict[tuple[str, int], Rate] = {}

    def update(
        self,
        tasks: list[Task],
        now: float,
        running: Mapping[tuple[str, int], float] | None = None,
        at: Mapping[tuple[str, int], float] | None = None,
    ) -> None:
        """Takes a look at ``now`` seconds. A task seen for the first time has no rates yet, and one
        that was not seen again since the last look has those that it had.

        Args:
            tasks: all that there are.
            now: seconds on any clock.
            running: for how many seconds each task (device, ticket) has run, where that is known.
            at: when each task was seen, on that clock; now, where it is not said.
        """
        running, at = running or {}, at or {}
        rates: dict[tuple[str, int], Rate] = {}
        for task in tasks:
            key = (task.device, task.ticket)
            last = self._rates.get(key)
            seen = at.get(key, now)
            seconds = seen - last.at if last else 0.0
            if last is None:
                rates[key] = Rate(task, 0.0, 0.0, at=seen)
            elif seconds <= 0:
                rates[key] = last
            else:
                rates[key] = Rate(
                    task,
                    (task.launches - last.task.launches) / seconds,
                    (task.held_seconds - last.task.held_seconds) / seconds,
                    (running[key] - self._running[key]) / seconds
                    if key in running and key in self._running
                    else None,
                    seen,
                )
        self._rates, self._running = rates, running

    def rows(self, order: str) -> list[Rate]:
        """By device, then by what the sort key says; the oldest first among equals."""
        by = _KEYS[order]
        return sorted(
            self._rates.values(), key=lambda rate: (rate.task.device, by(rate), rate.task.ticket)
        )
