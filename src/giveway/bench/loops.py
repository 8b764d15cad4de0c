"""The two kinds of load, open-loop and saturating, for any work and any clock."""

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
"""The due time, the begin and the end of a request or batch, in seconds."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A period on the monotonic clock, in seconds.

    The head of ``warm`` seconds does not count, the next ``seconds`` do. In the tail, the load
    continues for the programs that are not done yet.
    """

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
    """The measurements of a program in a segment."""

    latencies: array[float]
    """Latencies in seconds, in order; those of requests count from the due time, those of batches
    from the begin."""
    busy: float
    """The part of the counted seconds in which the program worked."""
    done: float
    """Requests or batches in the counted seconds; a batch across an edge counts in part."""
    spans: Sequence[Span]
    """All requests or batches, with head and tail; seconds from the start of the segment."""
    services: Sequence[float] = ()
    """The work on each request of ``latencies``, without its wait; empty for batches."""


def serve(
    work: Work,
    segment: Segment,
    due_times: Sequence[float],
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> Run:
    """Serves open-loop requests: due times do not depend on earlier answers.

    Latency counts from the due time, so that a stall is charged to every request that it delayed.
    All requests due before the end of the segment are answered, even after the end: dropping late
    requests would drop the worst latencies.
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
            break  # The request does not count, and the other programs are done.
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
        services=[ended - began for _, began, ended in counted],
    )


def repeat(
    work: Work,
    segment: Segment,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
    capacity: int = CAPACITY,
) -> Run:
    """Runs a saturating load: one batch after another until the tail is over.

    A batch across an edge of the segment counts by the fraction of its time that lies inside.
    Counting such batches as 0 or 1 would be wrong by up to a batch per segment, and by more for a
    program that is held, which is what the bench compares.
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
    # A batch that was held past the end must be included, as it has the worst latency.
    counted = [b - a for _, a, b in spans if b > counted_from and a < end]
    return Run(array("d", counted), busy, done, _from_start(spans, segment.start))


def _from_start(spans: Sequence[Span], start: float) -> list[Span]:
    return [(due - start, began - start, ended - start) for due, began, ended in spans]
