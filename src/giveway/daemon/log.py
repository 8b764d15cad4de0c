"""The daemon's event log, in memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import takewhile
from operator import itemgetter
from typing import Any, Final

KEPT: Final = 10_000
GATES: Final = ("held", "opened")


class Log:
    """The last `KEPT` events about gates, and as many others; numbered from 1.

    A program with many requests has hundreds of events about gates a second. They do not displace
    the rare events.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._gates: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._others: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.last = 0
        """The number of the last event."""

    def add(self, what: str, **details: object) -> None:
        self.last += 1
        kept = self._gates if what in GATES else self._others
        kept.append({"event": self.last, "time": self._clock(), "what": what, **details})

    def after(self, number: int) -> Iterator[dict[str, Any]]:
        """The events after that number that are still in the log."""
        new = [
            list(takewhile(lambda event: event["event"] > number, reversed(kept)))
            for kept in (self._gates, self._others)
        ]
        return merge(*map(reversed, new), key=itemgetter("event"))
