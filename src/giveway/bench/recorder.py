"""Stores the times of a measured loop in memory that is allocated before the first of them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

CAPACITY = 1 << 18
"""The capacity for a saturating program, whose number of runs is not known before: 4 MiB."""


class Recorder:
    """The exact begin and end of each run, in order, in arrays of a fixed size.

    The number of requests is known before a segment, so the memory is bounded without the loss of
    precision of a histogram. The order is kept for confidence intervals, because latencies of
    neighbouring requests are not independent. A growing list would add its allocations to the
    latencies. Runs beyond the capacity are counted but not stored.
    """

    __slots__ = ("_began", "_capacity", "_ended", "count")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # The arrays are filled, so that the kernel has mapped their pages.
        self._began = array("d", bytes(8 * capacity))
        self._ended = array("d", bytes(8 * capacity))
        self.count = 0

    def record(self, began: float, ended: float) -> None:
        """Stores one run; times in seconds on any clock."""
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
