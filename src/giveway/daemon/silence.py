"""Measures for how long a process has sent no heartbeat although it had a core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Schedule(NamedTuple):
    """What the kernel reports of the main thread of a process."""

    state: str
    """One letter: R is running or ready to, T is stopped."""
    worked: float | None
    """Seconds with a core; None where the kernel does not count them."""
    waited: float
    """Seconds in which the thread was ready without a core; a wait is added when it ends."""


def read_schedule(pid: int) -> Schedule:
    """Reads /proc; a process that has ended has no state."""
    folder = Path(f"/proc/{pid}")
    try:
        state = (folder / "stat").read_text(errors="replace").rpartition(") ")[2][:1]
    except OSError:
        return Schedule("", None, 0.0)
    try:
        worked, waited = (folder / "schedstat").read_text().split()[:2]
    except (OSError, ValueError):
        return Schedule(state, None, 0.0)
    return Schedule(state, int(worked) / 1e9, int(waited) / 1e9)


class Silence:
    """Adds up the time in which a process worked or slept and sent no heartbeat.

    Time is counted in polls, not by the clock: a suspended machine, or a stop of both processes
    (Ctrl-Z), is one poll. A stop of the process alone does not count, nor does a wait for a core.
    """

    def __init__(self, pid: int, read: Callable[[int], Schedule] = read_schedule) -> None:
        self._pid = pid
        self._read = read
        self._before = read(pid)
        self.seconds = 0.0

    def end(self) -> None:
        """The process has sent a heartbeat."""
        self.seconds = 0.0
        self._before = self._read(self._pid)

    def add(self, seconds: float) -> None:
        """The process has sent no heartbeat for that long, until now."""
        before, self._before = self._before, self._read(self._pid)
        now = self._before
        if now.state in ("T", "t"):
            return
        if now.worked is None or before.worked is None:
            self.seconds += seconds
        elif now.state == "R":  # a wait may not have ended yet: what was not work was waiting
            self.seconds += min(now.worked - before.worked, seconds)
        else:
            self.seconds += max(seconds - (now.waited - before.waited), 0.0)
