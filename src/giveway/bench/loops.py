"""The two kinds of load, without a word about what is run: the clock is passed in."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from giveway.bench.recorder import CAPACITY, Recorder

Work = Callable[[], object]
Clock = Callable[[], float]
Sleep = Callable[[float], None]
Span = tuple[float, float, float]
"""Due, began, ended."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time on the monotonic clock, in seconds: a head that does not count, then
    ``seconds`` that do, then a tail in which the load goes on for those that are not done yet."""

    start: float
    warm: float
    seconds: float
    tail: float = 0.0

    @property
    def counted_from(self) -> float:
        return self.start + self.warm

    @property
    def end(self) -> float:
        return self.start + self.warm + self.seconds

    @property
    def over(self) -> float:
        return self.end + self.tail


@dataclass(frozen=True, slots=True)
class Run:
    """What a program did in a segment."""

    latencies: array[float]
    """Seconds, in order: of requests from when they were due, of batches from when they began."""
    busy: float
    """Of the counted seconds, those at work."""
    done: float
    """Requests or batches in the counted seconds; of a batch on the edge, the part inside."""
    spans: Sequence[Span]
    """Everything, the head and the tail too; seconds from the start of the segment."""


def serve(
    work: Work,
    segment: Segment,
    due_times: Sequence[float],
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> Run:
    """Open-loop requests: each is due at its moment, whatever became of the one before.

    Latency counts from when a request was due, so that a stall is charged to every request that it
    delayed. All requests due before the segment's end are answered, if need be after it: to drop
    the late ones would be to drop the worst.
    """
    recorder = Recorder(len(due_times))
    record = recorder.record
    end, over = segment.end, segment.over
    for due in due_times:
        began = clock()
        if began < due:
            sleep(due - began)
            began = clock()
        elif due >= end and began >= over:
            break  # It does not count, and everybody else is done.
        work()
        record(began, clock())
    spans = list(zip(due_times, recorder.began, recorder.ended, strict=False))
    counted = [span for span in spans if segment.counted_from <= span[0] < end]
    return Run(
        latencies=array("d", (ended - due for due, _, ended in counted)),
        busy=sum(
            max(0.0, min(ended, end) - max(began, segment.counted_from))
            for _, began, ended in spans
        ),
        done=float(sum(segment.counted_from < ended <= end for _, _, ended in spans)),
        spans=_from_start(spans, segment.start),
    )


def repeat(
    work: Work,
    segment: Segment,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
    capacity: int = CAPACITY,
) -> Run:
    """Saturating load: one batch after another until the tail is over.

    A batch that straddles an edge counts by the fraction of its time that lies inside. Whole or
    not at all would cost a program with long batches up to a batch a segment, and more when it is
    held, which is the very thing that is compared.
    """
    recorder = Recorder(capacity)
    record = recorder.record
    ahead = segment.start - clock()
    if ahead > 0:
        sleep(ahead)
    done = busy = 0.0
    counted_from, end, over = segment.counted_from, segment.end, segment.over
    began = clock()
    while began < over:
        work()
        ended = clock()
        record(began, ended)
        inside = min(ended, end) - max(began, counted_from)
        if inside > 0:
            done += inside / (ended - began)
            busy += inside
        began = ended
    spans = [(a, a, b) for a, b in zip(recorder.began, recorder.ended, strict=True)]
    # A batch that is held past the end is the one that must not be missing.
    counted = [b - a for _, a, b in spans if b > counted_from and a < end]
    return Run(array("d", counted), busy, done, _from_start(spans, segment.start))


def _from_start(spans: Sequence[Span], start: float) -> list[Span]:
    return [(due - start, began - start, ended - start) for due, began, ended in spans]
