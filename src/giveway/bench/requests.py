"""The requests to a language model: when each is due, and how long its prompt and answer are.

They are fixed before a segment starts, and equal seeds give equal requests.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from giveway.bench.arrivals import due_times
from giveway.scenarios.traces import Arrival

Range = Sequence[int]
"""The least and the most."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    due: float
    """In seconds, on the clock of the segment."""
    prompt_tokens: int
    output_tokens: int
    number: int = 0
    """Of its place among the requests of the seed, from 0."""


def requests(
    process: str,
    rate: float,
    start: float,
    seconds: float,
    seed: int,
    lengths: Sequence[Range],
    trace: Sequence[Arrival] = (),
    skip: float = 0.0,
) -> list[Request]:
    """The requests of a period, in order.

    The arguments are those of `due_times`, and the lengths of prompts and of answers. A period that
    skips the first seconds of another has the later requests of it, with the same lengths. Those of
    a trace that states them are its own, cut to the range.
    """
    draw = random.Random(f"{seed} lengths")
    moments = [each.at for each in trace]
    every = due_times(process, rate, start - skip, skip + seconds, seed, moments)
    found = []
    for number, due in enumerate(every):
        stated = trace[number % len(trace)][1:] if process == "trace" else (None, None)
        prompt, output = (
            draw.randint(*each) if length is None else min(max(length, each[0]), each[1])
            for each, length in zip(lengths, stated, strict=True)
        )
        found.append(Request(due, prompt, output, number))
    return [each for each in found if each.due >= start]
