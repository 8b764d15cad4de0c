"""For how long a process has been silent through its own fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Seen(NamedTuple):
    """What the kernel says of a process's main thread."""

    state: str
    """One letter: R is running or ready to, T is stopped."""
    worked: float | None
    """Seconds with a core; None where nobody counts them."""
    waited: float
    """Seconds in which it was ready and had no core; a wait is added when it ends."""


def look_at(pid: int) -> Seen:
    """Reads it from /proc; a process that has ended has no state."""
    folder = Path(f"/proc/{pid}")
    try:
        state = (folder / "stat").read_text(errors="replace").rpartition(") ")[2][:1]
    except OSError:
        return Seen("", None, 0.0)
    try:
        worked, waited = (folder / "schedstat").read_text().split()[:2]
    except (OSError, ValueError):
        return Seen(state, None, 0.0)
    return Seen(state, int(worked) / 1e9, int(waited) / 1e9)


class Silence:
    """Adds up the time in which a process worked or slept and gave no sign.

    Time counts in looks, not by the clock: a suspended machine, or a stop of both processes
    (Ctrl-Z), is one look. A stop of the process alone does not count, nor does its waiting for a
    core.
    """

    def __init__(self, pid: int, look: Callable[[int], Seen] = look_at) -> None:
        self._pid = pid
        self._look = look
        self._before = look(pid)
        self.seconds = 0.0

    def end(self) -> None:
        """The process has given a sign."""
        self.seconds = 0.0
        self._before = self._look(self._pid)

    def add(self, seconds: float) -> None:
        """The process gave no sign for so long, until now."""
        before, self._before = self._before, self._look(self._pid)
        now = self._before
        if now.state in ("T", "t"):
            return
        if now.worked is None or before.worked is None:
            self.seconds += seconds
        elif now.state == "R":  # a wait may not have ended yet: what was not work was waiting
            self.seconds += min(now.worked - before.worked, seconds)
        else:
            self.seconds += max(seconds - (now.waited - before.waited), 0.0)
