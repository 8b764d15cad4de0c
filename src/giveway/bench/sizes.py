"""Chooses, by measuring, sizes and rates that this machine can do."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from typing import Any

from giveway.bench.arrivals import trace_rate
from giveway.bench.loops import Segment
from giveway.bench.model_runner import ModelRunner
from giveway.bench.runner import Stretch
from giveway.scenarios.model import Arrivals, Program, Size

REQUESTS = 75
"""Requests wanted in a segment; with fewer, the p99 of all rounds is little but its maximum."""
BATCHES = 20
"""Batches wanted in a segment of a saturating program."""
_DEFAULT_BUSY = 0.3
_PROBE_REQUESTS = 16
_PROBE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one program runs in this run."""

    size: Size
    rate: float | None
    """Requests per second; None: saturating, or a command's own affair."""
    service_seconds: float | None
    """At work on one request or batch, alone; None: not measured."""

    def to_json(self) -> dict[str, Any]:
        milliseconds = self.service_seconds
        return {
            "size": dict(self.size),
            "rate": self.rate,
            "service_ms": None if milliseconds is None else round(milliseconds * 1e3, 3),
        }


def choose(program: Program, runner: ModelRunner, segment_seconds: float) -> Chosen:
    """The first of a program's sizes with which a segment still holds enough of its runs."""
    most = segment_seconds / BATCHES
    if program.arrivals.open_loop:
        most = segment_seconds * (program.arrivals.busy or 1.0) / REQUESTS
    for size in program.sizes:
        last = size == program.sizes[-1]
        seconds = runner.load(size, math.inf if last else most)
        if seconds > 2 * most and not last:
            continue
        rate = None
        if program.arrivals.open_loop:
            seconds = _paced_service(runner, seconds)
            rate = _rate(program.arrivals, seconds)
            enough = segment_seconds * rate >= REQUESTS
        else:
            enough = segment_seconds / seconds >= BATCHES
        if enough:
            break
    return Chosen(size, rate, seconds)


def _rate(arrivals: Arrivals, service: float) -> float:
    """The wished rate, or less where that would keep the program busier than it may be."""
    wish = arrivals.rate
    if wish is None and arrivals.trace:
        wish = trace_rate(arrivals.trace)
    most = None if arrivals.busy is None else arrivals.busy / service
    rate = min(value for value in (wish, most) if value is not None)
    return float(f"{rate:.4g}")


def _paced_service(runner: ModelRunner, back_to_back: float) -> float:
    """Median seconds at work on a request among idle gaps: more than back to back, as caches and
    clocks cool down in between."""
    period = back_to_back / _DEFAULT_BUSY
    runner.rate = 1 / period
    requests = min(_PROBE_REQUESTS, max(4, int(_PROBE_SECONDS / period)))
    segment = Segment(time.monotonic() + 0.05, 4 * period, requests * period)
    runner.begin(Stretch(segment, seed=1, spans=True))
    spans = runner.finish()["spans"]
    return float(statistics.median(ended - began for _, began, ended in spans[4:] or spans))
