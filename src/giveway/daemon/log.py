"""The daemon's event log, in memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

KEPT: Final = 10_000


class Log:
    """The last `KEPT` events, numbered from 1."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.last = 0
        """The number of the last event."""

    def add(self, what: str, **details: object) -> None:
        self.last += 1
        self._entries.append({"event": self.last, "time": self._clock(), "what": what, **details})

    def after(self, number: int) -> Iterator[dict[str, Any]]:
        """The events after that number that are still in the log."""
        new = min(self.last - number, len(self._entries))
        if new > 0:
            start = len(self._entries) - new
            for at in range(start, len(self._entries)):
                yield self._entries[at]
