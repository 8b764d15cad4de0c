"""Rates between two snapshots of the gate pages, for `giveway top`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from giveway.sched.task import Task


@dataclass(frozen=True, slots=True)
class Rate:
    """A task, and its rates since the last snapshot."""

    task: Task
    launches: float
    """Launches per second."""
    held: float
    """Mean number of held threads: 0.5 is one thread for half of the time."""
    share: float | None = None
    """Share of the time since the last snapshot in which the task ran; None: no daemon counts."""
    at: float = 0.0
    """When the snapshot was taken."""


SORTS: Final = {"p": "priority", "l": "launches", "h": "held", "n": "name"}

_KEYS: Final[dict[str, Callable[[Rate], Any]]] = {
    "p": lambda rate: -rate.task.priority,
    "l": lambda rate: -rate.launches,
    "h": lambda rate: -rate.held,
    "n": lambda rate: rate.task.name,
}


class Rates:
    """The tasks of the last snapshot, compared with the one before."""

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
        """Takes a snapshot. A new task has no rates yet. A task whose data is not newer than in the
        last snapshot keeps its rates.

        Args:
            tasks: all tasks.
            now: seconds on any clock.
            running: seconds for which each task (device, ticket) has run, where that is known.
            at: when each task's data was read, on that clock; now, for a task without an entry.
        """
        running, at = running or {}, at or {}
        rates: dict[tuple[str, int], Rate] = {}
        for task in tasks:
            key = (task.device, task.ticket)
            last = self._rates.get(key)
            read_at = at.get(key, now)
            seconds = read_at - last.at if last else 0.0
            if last is None:
                rates[key] = Rate(task, 0.0, 0.0, at=read_at)
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
                    read_at,
                )
        self._rates, self._running = rates, running

    def rows(self, order: str) -> list[Rate]:
        """The rates by device, then by the sort key, then by age with the oldest first."""
        by = _KEYS[order]
        return sorted(
            self._rates.values(), key=lambda rate: (rate.task.device, by(rate), rate.task.ticket)
        )
