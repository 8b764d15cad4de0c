"""Timelines: an extra segment of each mode, which does not count, shows what each program did.

Requests and batches come from the programs, kernels from a GPU, states from the gate page. All
modes are recorded in the same way, so that what recording costs does not tell them apart.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from giveway.bench import counters
from giveway.bench.kernels import fewer
from giveway.bench.loops import Segment
from giveway.bench.runner import Assignment, Runner
from giveway.bench.segments import Segments, sleep_until
from giveway.results.preemption import Closings
from giveway.scenarios.model import Program
from giveway.scenarios.modes import gated

SAMPLE_SECONDS: Final = 0.001
MOST_PERIODS: Final = 1000
"""The most periods of kernels of one program, which bound the size of a result: 20 kB each."""
_MOST_URGENT: Final = ("active", "held", "idle")
"""The state of a program is the first of these that one of its tasks is in."""


@dataclass
class Samples:
    """The samples of the gate page, by program."""

    states: dict[str, list[list[Any]]] = field(default_factory=dict)
    """Each change of state: seconds from the start of the segment, and the new state."""
    closings: dict[str, Closings] = field(default_factory=dict)


def is_telling(mode: str, programs: Iterable[Program]) -> bool:
    """Whether a timeline of a mode shows anything.

    A command reports neither when its requests began nor its kernels.
    """
    spans = any(each.model or each.server for each in programs)
    return mode != "alone" and (gated(mode) or spans)


def measure(
    mode: str, segments: Segments, runners: Mapping[str, Runner], seconds: float
) -> dict[str, Any]:
    """Measures a segment of a mode and returns the record of its timeline.

    Raises:
        ProgramFailedError: a program has died or hangs.
    """
    for runner in runners.values():
        runner.record_kernels()
    for runner in runners.values():
        runner.prepare()
    segment = segments.next(runners, seconds)
    for name, runner in runners.items():
        runner.begin(Assignment(segment, segments.seed(0, name), spans=True))
    sleep_until(segment.counted_from)
    for runner in runners.values():
        runner.mark()
    samples = Samples()
    if gated(mode):
        sessions = {name: runner.session for name, runner in runners.items()}
        samples = sample(segments.reader, sessions, segment)
    sleep_until(segment.end)
    for runner in runners.values():
        runner.mark()
    answers = {name: runner.finish() for name, runner in runners.items()}
    return to_json(mode, segment, answers, samples)


def sample(
    reader: counters.Reader, sessions: Mapping[str, int | None], segment: Segment
) -> Samples:
    """Samples the page every millisecond until the counted part of the segment ends."""
    samples = Samples({name: [] for name in sessions}, {name: Closings() for name in sessions})
    while (now := time.monotonic()) < segment.end:
        tasks = reader.tasks(sessions)
        for name, changes in samples.states.items():
            samples.closings[name].update(now, tasks[name])
            found = {task.state for task in tasks[name]}
            state = next((each for each in _MOST_URGENT if each in found), "idle")
            if not changes or changes[-1][1] != state:
                changes.append([round(now - segment.start, 6), state])
        time.sleep(SAMPLE_SECONDS)
    return samples


def to_json(
    mode: str, segment: Segment, answers: Mapping[str, Mapping[str, Any]], samples: Samples
) -> dict[str, Any]:
    """The record of a timeline. Spans that overlap the counted seconds are kept."""
    start, end = segment.warm, segment.warm + segment.seconds
    held = {
        name: [round(closing.held - segment.start, 6) for closing in each.found]
        for name, each in samples.closings.items()
    }
    return {
        "kind": "timeline",
        "mode": mode,
        "start": start,
        "end": end,
        "sample_seconds": SAMPLE_SECONDS if samples.states else None,
        "spans": {
            name: [span for span in each.get("spans", []) if span[2] > start and span[0] < end]
            for name, each in answers.items()
        },
        "device": {
            name: fewer(
                [span for span in each["device"] if span[1] > start and span[0] < end],
                MOST_PERIODS,
                apart=held.get(name, ()),
            )
            for name, each in answers.items()
            if each.get("device") is not None
        },
        "states": samples.states,
        "closings": {
            name: [
                [
                    None if moment is None else round(moment - segment.start, 6)
                    for moment in (closing.closed, closing.held, closing.stopped)
                ]
                for closing in each.found
            ]
            for name, each in samples.closings.items()
        },
    }
