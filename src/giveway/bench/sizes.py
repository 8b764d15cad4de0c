"""Measures which sizes and rates suit this machine, and chooses them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from giveway.bench.arrivals import trace_rate
from giveway.bench.loops import Segment
from giveway.bench.model_runner import ModelRunner
from giveway.bench.runner import Assignment
from giveway.scenarios.model import Arrivals, Program, Size

REQUESTS = 75
"""The target number of requests in a segment. With fewer requests, the p99 of a round is its
maximum, and that of all rounds is close to theirs."""
BATCHES = 20
"""The target number of batches in a segment of a saturating program."""
_BURST_SECONDS = 1.0
_BURST_SERVICES = 4
"""How long more requests come than a program can answer, to measure its capacity: a second, or so
many times the work on one."""
_BEHIND = 0.8
"""The share of the rate below which the answers show that a program falls behind."""
_MOST_REQUESTS = 2000
"""The most requests of such a burst. A program that keeps up with them has at least this rate."""
_DEFAULT_BUSY = 0.3
_PROBE_REQUESTS = 16
_PROBE_SECONDS = 3.0
_MOST_PROBES = 4
_AGREE = 1.25
"""The factor by which two probes may differ. If they do not agree, the machine was disturbed."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The size and the rate of one program in this run."""

    size: Size
    rate: float | None
    """Requests per second; None: the program is saturating or a command."""
    service_seconds: float | None
    """Seconds of work on one request or batch alone; None: not measured."""

    capacity: float | None = None
    """The most requests per second, if several are answered together; None: one at a time."""

    def at(self, load: float) -> Chosen:
        """The same size at a share of the most requests that the program can answer."""
        assert self.service_seconds is not None
        most = self.capacity or 1 / self.service_seconds
        return replace(self, rate=float(f"{load * most:.4g}"))

    def to_json(self) -> dict[str, Any]:
        milliseconds = self.service_seconds
        return {
            "size": dict(self.size),
            "rate": self.rate,
            "service_ms": None if milliseconds is None else round(milliseconds * 1e3, 3),
        }


def choose(
    program: Program,
    runner: ModelRunner,
    segment_seconds: float,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Chosen:
    """Chooses the first size of a program for which a segment has enough requests or batches.

    Args:
        program: the program.
        runner: runs it.
        segment_seconds: the counted seconds of a segment.
        may_go_on: whether there is time to look further; without, the last size has to do.
    """
    most = segment_seconds / BATCHES
    if program.arrivals.open_loop:
        most = segment_seconds * (program.arrivals.busy or 1.0) / REQUESTS
    for size in program.sizes:
        last = size == program.sizes[-1]
        if not (last or may_go_on()):
            continue
        seconds = runner.load(size, math.inf if last else most)
        if seconds > 2 * most and not last:
            continue
        rate = None
        if program.arrivals.open_loop:
            seconds = _paced_service(runner, seconds, may_go_on)
            rate = _rate(program.arrivals, seconds)
            enough = segment_seconds * rate >= REQUESTS
        else:
            enough = segment_seconds / seconds >= BATCHES
        if enough:
            break
    return Chosen(size, rate, seconds)


class Server(Protocol):
    """A program that answers several requests together: a model, or a server by its address."""

    rate: Any

    def begin(self, assignment: Assignment) -> None: ...

    def finish(self) -> dict[str, Any]: ...


def anew(program: Program, chosen: Chosen, service_seconds: float) -> Chosen:
    """The same size at the rate that fits another time of a request."""
    rate = _rate(program.arrivals, service_seconds)
    return replace(chosen, rate=rate, service_seconds=service_seconds)


def capacity(runner: Server, service: float) -> float:
    """The requests per second that a program answers when more come than it can answer.

    The rate doubles until the program falls behind. Its answers are waited for.

    Args:
        runner: the program; its rate is left at that of the last attempt.
        service: the seconds of work on one request by itself.
    """
    seconds = max(_BURST_SECONDS, _BURST_SERVICES * service)
    runner.rate = 2 / service
    while True:
        segment = Segment(time.monotonic() + 0.05, 0.0, seconds)
        runner.begin(Assignment(segment, seed=1, spans=True))
        spans = runner.finish()["spans"]
        took = max((ended for _, _, ended in spans), default=0.0)
        # The last answer takes its time, however many are answered together.
        if took - service > seconds / _BEHIND or len(spans) >= _MOST_REQUESTS / 2:
            return len(spans) / max(took, seconds)
        runner.rate *= 2


def _rate(arrivals: Arrivals, service: float) -> float:
    """The configured rate, reduced if it would exceed the busy share that is allowed."""
    configured = arrivals.rate
    if configured is None and arrivals.trace:
        configured = trace_rate(arrivals.moments)
    most = None if arrivals.busy is None else arrivals.busy / service
    rate = min(value for value in (configured, most) if value is not None)
    return float(f"{rate:.4g}")


def _paced_service(
    runner: ModelRunner, back_to_back: float, may_go_on: Callable[[], bool]
) -> float:
    """The seconds of work on a request with idle gaps between requests.

    This takes longer than back-to-back runs, because caches go cold and clocks drop in the gaps.
    Probes are repeated until one agrees with the one before. If none does, the least time counts:
    a disturbance makes requests only slower.
    """
    found: list[float] = []
    while len(found) < _MOST_PROBES and may_go_on():
        found.append(_probe(runner, back_to_back))
        low, high = sorted((found[-1], found[-2] if len(found) > 1 else math.inf))
        if high <= _AGREE * low:
            return found[-1]
    return min(found, default=back_to_back)


def _probe(runner: ModelRunner, back_to_back: float) -> float:
    period = back_to_back / _DEFAULT_BUSY
    runner.rate = 1 / period
    requests = min(_PROBE_REQUESTS, max(4, int(_PROBE_SECONDS / period)))
    segment = Segment(time.monotonic() + 0.05, 4 * period, requests * period)
    runner.begin(Assignment(segment, seed=1, spans=True))
    spans = runner.finish()["spans"]
    return float(statistics.median(ended - began for _, began, ended in spans[4:] or spans))
