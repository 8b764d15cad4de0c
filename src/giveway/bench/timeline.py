"""Who held the device: sampled from the gate page in a segment of its own, which does not count."""

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
"""Of several tasks of one program, the first of these that one of them is in."""


@dataclass
class Seen:
    """What the page said, by program."""

    states: dict[str, list[list[Any]]] = field(default_factory=dict)
    """The moments at which its state changed, in seconds from the start of the segment."""
    closings: dict[str, Closings] = field(default_factory=dict)


def sample(reader: counters.Reader, sessions: Mapping[str, int | None], segment: Segment) -> Seen:
    """Looks at the page every millisecond for as long as a segment counts."""
    seen = Seen({name: [] for name in sessions}, {name: Closings() for name in sessions})
    while (now := time.monotonic()) < segment.end:
        tasks = reader.tasks(sessions)
        for name, changes in seen.states.items():
            seen.closings[name].look(now, tasks[name])
            found = {task.state for task in tasks[name]}
            state = next((each for each in _MOST_URGENT if each in found), "idle")
            if not changes or changes[-1][1] != state:
                changes.append([round(now - segment.start, 6), state])
        time.sleep(SAMPLE_SECONDS)
    return seen


def to_json(
    mode: str, segment: Segment, answers: Mapping[str, Mapping[str, Any]], seen: Seen
) -> dict[str, Any]:
    """The record of a timeline: what is inside the counted seconds, or reaches into them."""
    start, end = segment.warm, segment.warm + segment.seconds
    return {
        "kind": "timeline",
        "mode": mode,
        "start": start,
        "end": end,
        "sample_seconds": SAMPLE_SECONDS if seen.states else None,
        "spans": {
            name: [span for span in each.get("spans", []) if span[2] > start and span[0] < end]
            for name, each in answers.items()
        },
        "device": {
            name: [span for span in each["device"] if span[1] > start and span[0] < end]
            for name, each in answers.items()
            if each.get("device") is not None
        },
        "states": seen.states,
        "closings": {
            name: [
                [
                    None if moment is None else round(moment - segment.start, 6)
                    for moment in (closing.closed, closing.held, closing.stopped)
                ]
                for closing in each.found
            ]
            for name, each in seen.closings.items()
        },
    }
