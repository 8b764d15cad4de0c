"""The interface of the engine to a program: a model of giveway or any command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from giveway.bench.loops import Segment


@dataclass(frozen=True, slots=True)
class Assignment:
    """A segment as sent to one program."""

    segment: Segment
    seed: int
    """The seed of Poisson arrivals; of one program, the same in all modes of a round."""
    skip: float = 0.0
    """The first seconds of the arrivals, which other segments have: another part of the round, and
    of a trace, earlier rounds."""
    spans: bool = False
    """Whether the program reports begin and end of every request or batch, for a timeline."""


class Runner(Protocol):
    """One program in one mode. All methods raise ProgramFailedError if it has died or hangs."""

    @property
    def session(self) -> int | None:
        """The session of its processes; None while none runs."""

    def prepare(self) -> None:
        """Gets the program ready for a segment."""

    def record_kernels(self) -> None:
        """Requests, before ``prepare``, that the next segment records the kernels of the program.

        Has no effect if the program or the device cannot record them.
        """

    def begin(self, assignment: Assignment) -> None:
        """Sends the program the segment, which is about to start."""

    def mark(self) -> None:
        """Notes the begin of the counted seconds and, when called again, their end."""

    def finish(self) -> dict[str, Any]:
        """Returns the measurements: ``latencies_us``, ``busy_seconds`` (None: unknown), ``done``,
        ``spans``, and ``device`` (the periods with kernels of the program)."""

    def close(self) -> None:
        """Ends the program unconditionally."""
