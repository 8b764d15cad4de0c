"""Assembles rounds from the segments of a scenario, and decides which rounds count.

Every ratio is relative to the program alone in the same round. So a round counts only if *alone*
was really alone: the program kept up, and it ran as fast as when its rate was chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

MOST_BUSY: Final = 0.8
"""The largest busy share of a program alone. From there on its queue depends on chance alone."""
MOST_QUEUE: Final = 10.0
"""How long the last request may wait, in service times: longer waits show a queue that grows."""
NEAR: Final = 1.5
"""The factor by which the service time may differ from that by which the rate was chosen."""
_LAST: Final = 9
"""The last requests, whose median shows a queue that grows, where answers differ in length."""
MOST_OTHERS: Final = 0.15
"""The largest share of the cores that other programs, or other virtual machines, may use."""

Part = dict[str, Any]
Segment = Mapping[str, Any]
Segments = Sequence[Segment]


@dataclass(frozen=True, slots=True)
class Described:
    """What the rounds need to know about a program."""

    open_loop: bool
    service_ms: float | None = None
    """The service time by which its rate was chosen; None: not measured, as for a command."""
    slo: Mapping[str, float] = field(default_factory=dict)
    """The objective of a request, in milliseconds."""
    load: float | None = None
    """The share of its capacity at which it was asked to run alone; None: it was not asked."""

    @property
    def most_busy(self) -> float:
        """The largest busy share alone: a load that was asked for may exceed the usual limit."""
        return max(MOST_BUSY, (1 + self.load) / 2) if self.load else MOST_BUSY

    @property
    def most_queue(self) -> float:
        """The longest wait alone, in service times: it grows as the capacity left shrinks."""
        left = 1 - (self.load or 0.0)
        return MOST_QUEUE * max(1.0, (1 - MOST_BUSY) / left)


def last_attempts(segments: Iterable[Segment]) -> list[Segment]:
    """The segments without those that were repeated."""
    latest: dict[object, Segment] = {}
    for each in segments:
        latest[each["mode"], each["round"], each.get("part"), *each["programs"]] = each
    return list(latest.values())


def fault(segment: Segment, programs: Mapping[str, Described]) -> str | None:
    """The reason why a segment does not count; None if it does."""
    return disturbed(segment) or next(
        (
            found
            for name, part in segment["programs"].items()
            if segment["mode"] == "alone" and (found := _not_alone(name, part, segment, programs))
        ),
        None,
    )


def disturbed(segment: Segment) -> str | None:
    """The reason why the machine was not the programs' own during a segment; None if it was."""
    if segment.get("anyway"):
        return None
    load = segment.get("load") or {}
    for key, what in (("others", "other programs used"), ("steal", "other machines took")):
        share = load.get(key)
        if share is not None and share > MOST_OTHERS:
            return f"{what} {share:.0%} of the processor time"
    if segment.get("intruders"):
        return f"{' and '.join(segment['intruders'])} decided or used the gate page too"
    return None


def _not_alone(
    name: str, part: Part, segment: Segment, programs: Mapping[str, Described]
) -> str | None:
    described = programs.get(name, Described(open_loop=False))
    latencies = part["latencies_us"]
    busy = _busy_share(part, segment["seconds"])
    most = described.most_busy
    batched = "tokens" in part
    if described.open_loop and not batched and busy is not None and busy > most:
        return f"{name} alone was at work {busy:.0%} of the time, {most:.0%} at most count"
    service = service_ms(part, described)
    expected = described.service_ms or service
    if described.open_loop and latencies and expected:
        last = median(latencies[-_LAST:]) if batched else latencies[-1]
        took = last / 1e3 / expected
        if took > described.most_queue + 1:
            return f"{name} alone had a queue at the end: an answer took {took:.0f} times its work"
    if service is not None and described.service_ms:
        factor = service / described.service_ms
        if not 1 / NEAR <= factor <= NEAR:
            when = "when its rate was chosen" if described.open_loop else "before the rounds"
            return f"{name} alone took {factor:.2g} times as long as {when}"
    return None


def _busy_share(part: Part, seconds: float) -> float | None:
    # A request that began before the segment may count with its whole time, hence the minimum.
    busy = part["busy_seconds"]
    return None if busy is None else min(1.0, busy / seconds)


def service_ms(part: Part, described: Described) -> float | None:
    """The mean work on a request, or the median time of a batch; None if unknown."""
    if not part["latencies_us"] or "tokens" in part:
        return None  # Requests that are served together share the work.
    if not described.open_loop:
        return float(median(part["latencies_us"])) / 1e3
    if part["busy_seconds"] is None or not part["done"]:
        return None
    return float(1e3 * part["busy_seconds"] / part["done"])


@dataclass(frozen=True, slots=True)
class Round:
    """One program in one mode in one round."""

    number: int
    part: Part
    """The measurements, with those of several segments added up, and their ``seconds``."""
    alone: Part | None
    """The same of the program alone, before and after the other modes; None: not measured."""
    fault: str | None
    """Why the round does not count; None if it does."""


class Rounds:
    """All rounds of one scenario."""

    def __init__(self, segments: Iterable[Segment], programs: Mapping[str, Described]) -> None:
        self.programs = programs
        self._faults: dict[tuple[str, int, str], str] = {}
        self._parts: dict[tuple[str, str], dict[int, Part]] = {}
        for segment in last_attempts(segments):
            why = fault(segment, programs)
            for name in segment["programs"]:
                mode, number = segment["mode"], segment["round"]
                found = self._parts.setdefault((mode, name), {})
                found[number] = _added(found.get(number), segment, name)
                if why is not None:
                    self._faults.setdefault((mode, number, name), why)
        self.modes = list(dict.fromkeys(mode for mode, _ in self._parts))

    def of(self, mode: str, program: str) -> list[Round]:
        """The rounds of a program in a mode, in order."""
        alone = self._parts.get(("alone", program), {})
        return [
            Round(number, part, alone.get(number), self._why(mode, number, program))
            for number, part in sorted(self._parts.get((mode, program), {}).items())
        ]

    def counted(self, mode: str, program: str) -> list[Round]:
        """The rounds that count; empty if they are not the majority."""
        every = self.of(mode, program)
        found = [each for each in every if each.fault is None]
        return found if 2 * len(found) > len(every) else []

    def why_not(self, mode: str, program: str) -> str | None:
        """Why the program was not measured in the mode, although it ran; None if it was."""
        every = self.of(mode, program)
        faults = [each.fault for each in every if each.fault is not None]
        if not every or self.counted(mode, program):
            return None
        return f"{len(faults)} of {len(every)} rounds do not count: {faults[0]}"

    def lost(self) -> list[tuple[int, str]]:
        """The rounds that do not count for some program, each with a reason."""
        found = {number: why for (_, number, _), why in sorted(self._faults.items())}
        return sorted(found.items())

    def _why(self, mode: str, number: int, program: str) -> str | None:
        for where in (mode, "alone"):
            if (why := self._faults.get((where, number, program))) is not None:
                return why
        return None


def _added(earlier: Part | None, segment: Segment, program: str) -> Part:
    """The measurements of a round, with those of one more segment."""
    part = {"seconds": segment["seconds"], **segment["programs"][program]}
    if part["busy_seconds"] is not None:
        part["busy_seconds"] = min(part["busy_seconds"], part["seconds"])
    for key, value in (earlier or {}).items():
        if isinstance(value, list | int | float) and part.get(key) is not None:
            part[key] = value + part[key]
    return part
