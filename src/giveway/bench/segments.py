"""Measures one segment: some programs that run at the same time, in one mode.

Each segment is recorded as soon as it is over, so that a killed run loses only the current segment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from giveway.bench import counters, load
from giveway.bench.loops import Segment
from giveway.bench.pace import Pace
from giveway.bench.process import ProgramFailedError
from giveway.bench.runner import Assignment, Runner
from giveway.bench.sizes import Chosen
from giveway.devices import nvml
from giveway.results import rounds
from giveway.scenarios.model import Program, Scenario
from giveway.scenarios.modes import gated

_HEAD_START: Final = 0.05
"""Seconds from sending a segment to the programs until it starts."""
_STARVING_TAIL: Final = 2.0

Part = Literal["before", "after"] | None
"""Which half of the counted seconds a segment of the mode ``alone`` has; None: all of them."""
Record = Callable[[Mapping[str, Any]], None]
"""Writes one record of the raw results; docs/reference/results.md has the schema."""


@dataclass(frozen=True, slots=True)
class Point:
    """One scenario to measure: for a sweep, one of its loads."""

    scenario: Scenario
    record: Record


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a measurement."""

    device: str
    seconds: float
    """The counted seconds of each segment."""
    repeats: int
    timeline_seconds: float = 1.0
    """The length of the extra segments for timelines, which do not count; 0: no timelines."""
    anyway: bool = False
    """Whether rounds count beside a daemon, tasks of other programs, and any load."""
    pace: Pace | None = None
    """Ends the measurement in time, and has rates chosen anew; None: all rounds are measured, at
    the rates that were chosen first."""

    @property
    def warm_seconds(self) -> float:
        return round(min(1.0, max(0.2, 0.15 * self.seconds)), 3)


class Segments:
    """Measures the segments of a scenario.

    Args:
        point: the scenario.
        settings: what to measure of it.
        own: the sessions of all programs of this measurement, those of other modes included: such
            a program waits, and keeps its task.
    """

    def __init__(self, point: Point, settings: Settings, own: Collection[int]) -> None:
        self._scenario, self._settings, self.record = point.scenario, settings, point.record
        self._own = own
        self.described: dict[str, rounds.Described] = {}
        """What is known about the programs, by which a segment counts or not."""
        self.chosen: dict[str, Chosen] = {}
        """The sizes and rates of the programs that have some."""
        self.last: Mapping[str, Any] = {}
        """The record of the last segment."""
        self.reader = counters.Reader(settings.device)
        self._gpu = nvml.Utilization() if settings.device == "cuda" else None

    @property
    def load(self) -> float | None:
        return self._scenario.load

    def describe(self, program: Program, chosen: Chosen | None) -> None:
        """Notes and records the size and the rate of a program; None: they are its own."""
        load = self.load if program.name == self._scenario.urgent.name else None
        service_ms = None
        if chosen is not None:
            if load is not None:
                chosen = chosen.at(load)
            described = chosen.to_json()
            service_ms = described["service_ms"]
            self.record({"kind": "sizes", "program": program.name, **described})
            self.chosen[program.name] = chosen
        open_loop = program.arrivals.open_loop
        self.described[program.name] = rounds.Described(open_loop, service_ms, program.slo, load)

    def next(self, runners: Mapping[str, Runner], seconds: float) -> Segment:
        """A segment that starts in a moment."""
        settings = self._settings
        tail = max(self._tail(runners), settings.warm_seconds / 2)
        return Segment(time.monotonic() + _HEAD_START, settings.warm_seconds, seconds, tail)

    def measure(
        self,
        mode: str,
        number: int,
        part: Part,
        runners: Mapping[str, Runner],
        attempt: int,
        record: Record,
    ) -> str | None:
        """Measures and records one segment; returns the reason if it does not count."""
        for runner in runners.values():
            runner.prepare()
        # Both parts together have the requests of a segment of another mode.
        seconds = self._settings.seconds / (2 if part else 1)
        segment = self.next(runners, seconds)
        for name, runner in runners.items():
            skip = self._over(number, name) + (seconds if part == "after" else 0.0)
            runner.begin(Assignment(segment, self.seed(number, name), skip))
        sleep_until(segment.counted_from)
        before, earlier = self._mark(mode, runners), load.read()
        intruders = self._intruders(mode)
        sleep_until(segment.end)
        after, later = self._mark(mode, runners), load.read()
        intruders = list(dict.fromkeys([*intruders, *self._intruders(mode)]))
        answers = {name: runner.finish() for name, runner in runners.items()}
        for name in runners:
            answers[name] |= after[name].since(before[name])
        used = sum(float(answer["cpu_seconds"]) for answer in answers.values())
        found = {
            "kind": "segment",
            "mode": mode,
            "round": number,
            "part": part,
            "attempt": attempt,
            "anyway": self._settings.anyway,
            "seconds": segment.seconds,
            "load": later.since(earlier, used),
            "intruders": intruders,
            "device_busy_share": self._busy(used, segment),
            "programs": answers,
        }
        record(found)
        self.last = found
        if gated(mode):
            self._check_gated(runners, after)
        return rounds.fault(found, self.described)

    def seed(self, number: int, name: str) -> int:
        """The seed of a program's arrivals, which is the same in every mode of a round."""
        names = [each.name for each in self._scenario.programs]
        return 1000 * number + names.index(name)

    def _over(self, number: int, name: str) -> float:
        """The seconds of a program's trace that earlier rounds had. Other arrivals begin anew."""
        (program,) = (each for each in self._scenario.programs if each.name == name)
        return number * self._settings.seconds if program.arrivals.process == "trace" else 0.0

    def _tail(self, runners: Mapping[str, Runner]) -> float:
        """The tail of a segment in seconds.

        It is longer if a program may be held all the time, because the last batch of that program
        has to end while the others still run.
        """
        running = [each for each in self._scenario.programs if each.name in runners]
        least = min(each.priority for each in running)
        starving = any(each.priority > least and not each.arrivals.open_loop for each in running)
        return _STARVING_TAIL if starving else 0.0

    def _mark(self, mode: str, runners: Mapping[str, Runner]) -> dict[str, counters.Counters]:
        for runner in runners.values():
            runner.mark()
        sessions = {name: runner.session for name, runner in runners.items()}
        return self.reader.counters(sessions, gated=gated(mode))

    def _intruders(self, mode: str) -> list[str]:
        return self.reader.intruders(self._own) if gated(mode) else []

    def _busy(self, used: float, segment: Segment) -> float | None:
        if self._settings.device == "cpu":
            cores = len(os.sched_getaffinity(0))
            return round(used / (cores * segment.seconds), 4)
        if self._gpu is None:
            return None
        share = self._gpu.share(segment.counted_from)
        return None if share is None else round(share, 4)

    def _check_gated(
        self, runners: Mapping[str, Runner], after: Mapping[str, counters.Counters]
    ) -> None:
        """Raises ProgramFailedError if a program ran ungated: the figures would show no gain, and
        the reason would stay hidden."""
        for name in runners:
            if not after[name].launches:
                raise ProgramFailedError(
                    name, "is not gated (giveway counted no launches; see giveway doctor)"
                )


def sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
