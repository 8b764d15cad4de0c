"""The ``dual`` scenario: a service that must answer fast beside a batch job that never stops.

Three modes, interleaved in rounds so that a machine that drifts does so under all of them:
*alone* (each program by itself), *native* (both, no giveway) and *giveway* (both, the service
at the higher priority). The programs are the same in every mode and are started once.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from giveway import launch
from giveway.bench.process import Process
from giveway.errors import ProgramError, UsageError
from giveway.page import Page

HIGH_MODEL, HIGH_PRIORITY = "resnet18", 10
LOW_MODEL, LOW_PRIORITY = "resnet50", 0

_BUSY_SHARE = 0.2
"""The share of the time for which the urgent program is at work when alone. No higher: two programs
on the same cores slow each other down several times, and one that cannot keep up with its requests
has a queue that grows for as long as one cares to measure."""
_IMAGES = (128, 112, 96)
_BATCHES = (8, 4, 2, 1)
_REQUESTS = 75
"""Requests wanted in a segment; with fewer, the p99 of all rounds is little but its maximum."""
_BATCHES_WANTED = 20
_SEGMENTS = 4
_SEGMENT_SECONDS = 5.0
_MIN_ROUNDS = 3

_START_TIMEOUT = 180.0
_ANSWER_TIMEOUT = 120.0
_HEAD_START = 0.05
"""Seconds from telling the programs to the start of their segment."""

Progress = Callable[[str, float], None]
"""Told the name of each stage and the share of the whole that lies behind it, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What was chosen by measuring this machine."""

    image: int
    """Pixels a side, for both programs."""
    low_batch: int
    period_ms: float
    """One request is due every so often."""
    rounds: int
    segment_seconds: float
    warm_seconds: float
    """At the head of each segment, not counted."""

    def to_json(self) -> dict[str, object]:
        return asdict(self) | {"high_model": HIGH_MODEL, "low_model": LOW_MODEL, "high_batch": 1}


@dataclass(frozen=True, slots=True)
class High:
    """The urgent program in one segment."""

    latencies: list[float]
    """Seconds."""
    busy_share: float


@dataclass(frozen=True, slots=True)
class Mode:
    """Both programs in one mode of one round."""

    high: High
    low_throughput: float
    """Batches per second."""


@dataclass(frozen=True, slots=True)
class Round:
    alone: Mode
    native: Mode
    giveway: Mode


@dataclass(frozen=True, slots=True)
class Pair:
    """The two programs, started in the same way."""

    high: Process
    low: Process


def measure(device: str, seconds: float, progress: Progress) -> tuple[Sizes, list[Round]]:
    """Runs the scenario; ``seconds`` is the sum of all that counts.

    Starting, choosing sizes and warming up come on top: about 30 s on two cores. Raises
    ProgramError when a program dies or hangs. No process is left, however this ends.
    """
    rounds = max(_MIN_ROUNDS, round(seconds / (_SEGMENTS * _SEGMENT_SECONDS)))
    segment = seconds / (rounds * _SEGMENTS)
    with ExitStack() as stack:
        progress("starting the programs", 0.0)
        plain, gated = _start(stack, device)
        progress("choosing sizes for this machine", 0.1)
        sizes = _choose_sizes(plain, segment, rounds)
        for pair in (plain, gated):
            _load(pair.high, HIGH_MODEL, 1, sizes.image)
            _load(pair.low, LOW_MODEL, sizes.low_batch, sizes.image)
        _check_gated(device, gated)
        results = []
        for number in range(rounds):
            title, before = f"round {number + 1} of {rounds}", 0.2 + 0.8 * number / rounds
            progress(f"{title}: each alone", before)
            alone = _alone(plain, sizes)
            progress(f"{title}: together, no giveway", before + 0.4 / rounds)
            native = _together(plain, sizes)
            progress(f"{title}: together, giveway", before + 0.6 / rounds)
            results.append(Round(alone, native, _together(gated, sizes)))
        progress("done", 1.0)
    return sizes, results


def _start(stack: ExitStack, device: str) -> tuple[Pair, Pair]:
    base = dict(os.environ)
    if "GIVEWAY_RUN" in base:
        raise UsageError("giveway demo starts its programs itself: call it without giveway run")
    # A page that cannot be used is better found out now than by the programs.
    Page.open(device, create=True).check()
    high = launch.environment(base, device, HIGH_PRIORITY, "demo-urgent")
    low = launch.environment(base, device, LOW_PRIORITY, "demo-other")
    processes = [
        stack.enter_context(Process(title, device, environment))
        for title, environment in (
            ("the urgent program", base),
            ("the other program", base),
            ("the urgent program under giveway", high),
            ("the other program under giveway", low),
        )
    ]
    for process in processes:
        process.tell("time", 0)
    for process in processes:
        process.answer(_START_TIMEOUT)
    return Pair(*processes[:2]), Pair(*processes[2:])


def _load(process: Process, model: str, batch: int, image: int) -> float:
    """Loads and warms a model; the median seconds of one call."""
    process.tell("load", model, batch, image)
    process.answer(_ANSWER_TIMEOUT)
    process.tell("time", 4)
    process.answer(_ANSWER_TIMEOUT)
    process.tell("time", 7)
    return float(statistics.median(process.answer(_ANSWER_TIMEOUT)["seconds"]))


def _choose_sizes(pair: Pair, segment: float, rounds: int) -> Sizes:
    """The largest sizes with which a segment still holds enough requests and batches."""
    for image in _IMAGES:
        _load(pair.high, HIGH_MODEL, 1, image)
        service = _paced_service(pair.high)
        if segment * _BUSY_SHARE / service >= _REQUESTS:
            break
    for batch in _BATCHES:
        if segment / _load(pair.low, LOW_MODEL, batch, image) >= _BATCHES_WANTED:
            break
    return Sizes(
        image=image,
        low_batch=batch,
        period_ms=round(service / _BUSY_SHARE * 1e3, 1),
        rounds=rounds,
        segment_seconds=round(segment, 3),
        warm_seconds=round(min(1.0, max(0.2, 0.15 * segment)), 3),
    )


def _paced_service(high: Process) -> float:
    """Mean seconds at work on a request among idle gaps: more than back to back, as caches and
    clocks cool down in between."""
    high.tell("time", 5)
    back_to_back = statistics.median(high.answer(_ANSWER_TIMEOUT)["seconds"])
    period = back_to_back / _BUSY_SHARE
    high.tell("serve", _soon(), 4 * period, 16 * period, period)
    answer = high.answer(_ANSWER_TIMEOUT)
    return float(answer["busy"] / len(answer["latencies"]))


def _check_gated(device: str, pair: Pair) -> None:
    """A program that runs ungated still runs: without this, the figures would show no gain and
    nobody would know why."""
    launches = {task.pid: task.launches for task in Page.open(device).tasks()}
    for process in (pair.high, pair.low):
        if not launches.get(process.pid):
            words = process.last_words()
            raise ProgramError(
                f"{process.title} is not gated ({words or 'giveway saw no launch of it'}); "
                "see giveway doctor"
            )


def _alone(pair: Pair, sizes: Sizes) -> Mode:
    _tell_high(pair, sizes, _soon())
    high = _high(pair, sizes)
    _tell_low(pair, sizes, _soon())
    return Mode(high, _low(pair, sizes))


def _together(pair: Pair, sizes: Sizes) -> Mode:
    start = _soon()
    _tell_high(pair, sizes, start)
    _tell_low(pair, sizes, start)
    return Mode(_high(pair, sizes), _low(pair, sizes))


def _soon() -> float:
    return time.monotonic() + _HEAD_START


def _tell_high(pair: Pair, sizes: Sizes, start: float) -> None:
    period = sizes.period_ms / 1e3
    pair.high.tell("serve", start, sizes.warm_seconds, sizes.segment_seconds, period)


def _tell_low(pair: Pair, sizes: Sizes, start: float) -> None:
    pair.low.tell("repeat", start, sizes.warm_seconds, sizes.segment_seconds)


def _high(pair: Pair, sizes: Sizes) -> High:
    answer = pair.high.answer(_ANSWER_TIMEOUT + sizes.segment_seconds)
    # Of the time in which the counted requests were due, which whole periods make up.
    seconds = len(answer["latencies"]) * sizes.period_ms / 1e3
    return High(answer["latencies"], answer["busy"] / seconds)


def _low(pair: Pair, sizes: Sizes) -> float:
    answer = pair.low.answer(_ANSWER_TIMEOUT + sizes.segment_seconds)
    return float(answer["batches"] / sizes.segment_seconds)
