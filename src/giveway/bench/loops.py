"""The two kinds of load, without a word about what is run: the clock is passed in."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time on the monotonic clock, in seconds: a head that does not count, then
    ``seconds`` that do."""

    start: float
    warm: float
    seconds: float

    @property
    def counted_from(self) -> float:
        return self.start + self.warm

    @property
    def end(self) -> float:
        return self.start + self.warm + self.seconds


@dataclass(frozen=True, slots=True)
class Served:
    """What the requests that were due in a segment met."""

    latencies: array[float]
    """Seconds from the moment a request was due until its answer was there."""
    busy: float
    """Seconds spent at work on them."""


def serve(
    work: Work,
    segment: Segment,
    period: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Served:
    """Open-loop requests: one is due every ``period`` seconds, whatever became of the one before.

    Latency counts from when a request was due, so that a stall is charged to every request that it
    delayed. All requests due before the segment's end are answered, if need be after it: to drop
    the late ones would be to drop the worst.
    """
    skipped = math.ceil(segment.warm / period)
    counted = max(1, int(segment.seconds / period))
    # Filled in place: a list that grows would put its own allocations into the latencies.
    latencies = array("d", bytes(8 * counted))
    busy = 0.0
    for number in range(skipped + counted):
        due = segment.start + number * period
        began = clock()
        if began < due:
            sleep(due - began)
            began = clock()
        work()
        ended = clock()
        if number >= skipped:
            latencies[number - skipped] = ended - due
            busy += ended - began
    return Served(latencies, busy)


def repeat(
    work: Work,
    segment: Segment,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Saturating load: one batch after another; how many batches were done in the counted seconds.

    A batch that straddles an edge counts by the fraction of its time that lies inside. Whole or
    not at all would cost a program with long batches up to a batch a segment, and more when it is
    held, which is the very thing that is compared.
    """
    ahead = segment.start - clock()
    if ahead > 0:
        sleep(ahead)
    done = 0.0
    began = clock()
    while began < segment.end:
        work()
        ended = clock()
        inside = min(ended, segment.end) - max(began, segment.counted_from)
        if inside > 0:
            done += inside / (ended - began)
        began = ended
    return done
