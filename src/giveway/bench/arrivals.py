"""The due times of requests, which are fixed before a segment starts (open loop)."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence


def due_times(
    process: str,
    rate: float,
    start: float,
    seconds: float,
    seed: int,
    trace: Sequence[float] = (),
    skip: float = 0.0,
) -> array[float]:
    """Returns the due times of requests, ascending, from ``start`` to ``start + seconds``.

    Two periods with the same seed, of which the second skips the first, have the same requests as
    one long period.

    Args:
        process: ``fixed`` (one every ``1 / rate`` seconds), ``poisson`` (independent, ``rate`` a
            second on average) or ``trace``.
        rate: requests per second. A trace is stretched to this average rate.
        start: the first possible due time, in seconds on any clock.
        seconds: the length of the period with requests.
        seed: the seed of the Poisson process; equal seeds give equal times.
        trace: the due times of a trace in seconds. A trace that is too short is repeated.
        skip: the first seconds of the arrivals, which are over when this period starts.

    Raises:
        ValueError: ``process`` is none of these.
    """
    if skip:
        before = due_times(process, rate, start - skip, skip, seed, trace)
        return due_times(process, rate, start - skip, skip + seconds, seed, trace)[len(before) :]
    end = start + seconds
    if process == "fixed":
        # The first request is due half a period after the start, so that a short segment has one.
        count = math.ceil(round(seconds * rate - 0.5, 6))
        return array("d", (start + (number + 0.5) / rate for number in range(count)))
    if process == "poisson":
        return _poisson(rate, start, end, random.Random(seed))
    if process == "trace":
        return _repeated(trace, rate, start, end)
    raise ValueError(f"no arrival process {process!r}")


def trace_rate(trace: Sequence[float]) -> float:
    """The average rate of a trace, in requests per second."""
    return (len(trace) - 1) / ((trace[-1] - trace[0]) or 1.0)


def _poisson(rate: float, start: float, end: float, draw: random.Random) -> array[float]:
    moments = array("d")
    due = start + draw.expovariate(rate)
    while due < end:
        moments.append(due)
        due += draw.expovariate(rate)
    return moments


def _repeated(trace: Sequence[float], rate: float, start: float, end: float) -> array[float]:
    stretch = trace_rate(trace) / rate
    gap = 1 / rate  # from the last request of one pass to the first of the next
    moments = array("d")
    begins = start
    while True:
        for moment in trace:
            due = begins + (moment - trace[0]) * stretch
            if due >= end:
                return moments
            moments.append(due)
        begins = moments[-1] + gap
