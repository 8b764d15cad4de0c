"""Where a measured loop puts its times: room for all of them is made before the first."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

CAPACITY = 1 << 18
"""Of a saturating program, for which nobody knows how many runs there will be: 4 MiB."""


class Recorder:
    """Begin and end of each run, in order, exact, in arrays of a fixed size.

    How many requests will be due is known before a segment, so nothing has to be thrown away to
    bound the memory, as a histogram does; and the order is kept, which intervals of confidence
    need: latencies of neighbouring requests are not independent. A list that grows would put its
    own allocations into the latencies. Runs past the capacity are counted and not kept.
    """

    __slots__ = ("_began", "_capacity", "_ended", "count")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # Filled, so that the pages are there and not only promised.
        self._began = array("d", bytes(8 * capacity))
        self._ended = array("d", bytes(8 * capacity))
        self.count = 0

    def record(self, began: float, ended: float) -> None:
        """One run, on a clock in seconds."""
        at = self.count
        if at < self._capacity:
            self._began[at] = began
            self._ended[at] = ended
        self.count = at + 1

    @property
    def began(self) -> Sequence[float]:
        return self._began[: self.count]

    @property
    def ended(self) -> Sequence[float]:
        return self._ended[: self.count]
