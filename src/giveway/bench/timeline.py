"""Samples the states of programs from the gate page, in an extra segment that does not count."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from giveway.bench import counters
from giveway.bench.loops import Segment
from giveway.results.preemption import Closings

SAMPLE_SECONDS: Final = 0.001
_MOST_URGENT: Final = ("active", "held", "idle")
"""The state of a program is the first of these that one of its tasks is in."""


@dataclass
class Samples:
    """The samples of the gate page, by program."""

    states: dict[str, list[list[Any]]] = field(default_factory=dict)
    """Each change of state: seconds from the start of the segment, and the new state."""
    closings: dict[str, Closings] = field(default_factory=dict)


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
            name: [span for span in each["device"] if span[1] > start and span[0] < end]
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
