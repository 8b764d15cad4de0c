"""What the engine asks of a program, whether it is a model of ours or somebody's command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from giveway.bench.loops import Segment


@dataclass(frozen=True, slots=True)
class Stretch:
    """A segment as one program is told of it."""

    segment: Segment
    seed: int
    """Of Poisson arrivals: the same in all modes of a round."""
    spans: bool = False
    """Whether the begin and end of every run are wanted, for a timeline."""


class Runner(Protocol):
    """One program in one mode. All raise ProgramFailedError where it died or hangs."""

    @property
    def session(self) -> int | None:
        """The session that its processes are in; None while it does not run."""

    def prepare(self) -> None:
        """Makes it ready to be measured."""

    def watch(self) -> None:
        """Tells it, before ``prepare``, to record when its device works for it, where it can."""

    def begin(self, stretch: Stretch) -> None:
        """Tells it the segment, which is about to start."""

    def mark(self) -> None:
        """Called where the counted seconds begin, and again where they end."""

    def finish(self) -> dict[str, Any]:
        """What it did: ``latencies_us``, ``busy_seconds`` (None: unknown), ``done``, ``spans``,
        ``device`` (when it worked for it)."""

    def close(self) -> None:
        """Ends it, whatever it does."""
