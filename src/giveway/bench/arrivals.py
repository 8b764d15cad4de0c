"""When requests are due: decided before a segment starts, whatever becomes of the answers."""

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
) -> array[float]:
    """The moments at which requests are due, ascending, from ``start`` to ``start + seconds``.

    Args:
        process: ``fixed`` (one every ``1 / rate`` seconds), ``poisson`` (independent, ``rate`` a
            second on average) or ``trace``.
        rate: requests per second. A trace is stretched so that it has this rate on average.
        start: on any clock, in seconds.
        seconds: how long requests go on.
        seed: of the Poisson process; the same seed gives the same moments.
        trace: seconds of each request of a trace; it begins again when it is over.

    Raises:
        ValueError: another process.
    """
    end = start + seconds
    if process == "fixed":
        # From the middle of a period: a short stretch then has a request of a slow process too.
        count = math.ceil(round(seconds * rate - 0.5, 6))
        return array("d", (start + (number + 0.5) / rate for number in range(count)))
    if process == "poisson":
        return _poisson(rate, start, end, random.Random(seed))
    if process == "trace":
        return _repeated(trace, rate, start, end)
    raise ValueError(f"no arrivals {process!r}")


def trace_rate(trace: Sequence[float]) -> float:
    """Requests per second of a trace, on average."""
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
