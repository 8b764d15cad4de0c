"""What was measured of each request, as the figures need it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from giveway.bench.loops import Segment


@dataclass(slots=True)
class Answer:
    """One request and its answer; moments are seconds on the monotonic clock."""

    due: float
    began: float
    """The begin of the work; of a server, when the request was sent."""
    ended: float = 0.0
    moments: array[float] = field(default_factory=lambda: array("d"))
    """When each piece of the answer came."""
    tokens: int = 0
    """The output tokens; a piece may have several."""

    def first_after(self) -> float:
        """The seconds from the due time to the first token (TTFT)."""
        return self.moments[0] - self.due

    def per_token(self) -> float | None:
        """The mean seconds from one token to the next (TPOT); None for a single token, or an answer
        in one piece."""
        if self.tokens < 2 or len(self.moments) < 2:
            return None
        return (self.moments[-1] - self.moments[0]) / (self.tokens - 1)

    def tokens_between(self, start: float, end: float) -> float:
        """The tokens that came in a period."""
        inside = sum(start < moment <= end for moment in self.moments)
        return self.tokens * inside / len(self.moments)


def measurements(answers: Sequence[Answer], segment: Segment) -> dict[str, Any]:
    """The fields of a record; requests that were due in the counted seconds count.

    The work on requests is not among them: of an answer from a server, only the server knows when
    it began.
    """
    start, end = segment.counted_from, segment.end
    counted = [each for each in answers if start <= each.due < end]
    per_token = [each.per_token() for each in counted]
    return {
        "latencies_us": [_us(each.ended - each.due) for each in counted],
        "ttft_us": [_us(each.first_after()) for each in counted],
        "tpot_us": [None if seconds is None else _us(seconds) for seconds in per_token],
        "tokens": [each.tokens for each in counted],
        "tokens_done": round(sum(each.tokens_between(start, end) for each in answers), 2),
        "done": float(sum(start < each.ended <= end for each in answers)),
    }


def services_us(answers: Sequence[Answer], segment: Segment) -> list[float]:
    """The time of each request that counts without its wait for a slot, in microseconds."""
    start, end = segment.counted_from, segment.end
    return [_us(each.ended - each.began) for each in answers if start <= each.due < end]


def spans(answers: Sequence[Answer], segment: Segment) -> list[list[float]]:
    """Due time, begin and end of each request, in seconds from the start of the segment."""
    return [
        [round(moment - segment.start, 6) for moment in (each.due, each.began, each.ended)]
        for each in answers
    ]


def _us(seconds: float) -> float:
    return round(seconds * 1e6, 1)
