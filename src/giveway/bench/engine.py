"""Runs a scenario: the same programs in every mode, one mode after the other, round after round.

The modes are interleaved (A B C A, A B C A), so that drift of the machine affects all modes alike.
In each round, every program runs alone before the other modes and after them, for half of the
counted seconds each. A segment that does not count is repeated.

A scenario may be measured at several loads. The programs start once, and each round has all loads.
A server that shares its address starts anew when the mode changes, and has all loads in one mode
before the next mode.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, Final

from giveway.bench import modes, sizes, timeline
from giveway.bench.guard import Guard
from giveway.bench.model_runner import ModelRunner
from giveway.bench.order import share_an_address, steps
from giveway.bench.pace import better_service_ms
from giveway.bench.process import ProgramFailedError
from giveway.bench.runner import Runner
from giveway.bench.segments import Part, Point, Record, Segments, Settings
from giveway.bench.server_runner import ServerRunner
from giveway.bench.starts import Starts
from giveway.bench.surroundings import refuse_under_run
from giveway.page.observer import Page
from giveway.results.names import mode_name
from giveway.scenarios.model import Program, Size
from giveway.scenarios.modes import ordered

_ATTEMPTS: Final = 3
"""The most attempts at one segment."""

Progress = Callable[[str, float], None]
"""Called with the name of each stage and the completed share of the scenario, 0 to 1."""


def run(points: Sequence[Point], settings: Settings, progress: Progress) -> bool:
    """Measures one scenario. Returns False if a program failed; the failure is recorded.

    All processes are ended, even if the run is interrupted.

    Args:
        points: the scenario; in a sweep, the scenario at each load.
        settings: what to measure of it.
        progress: called at each step.

    Raises:
        UsageError: the caller runs under giveway run.
        PageError: the gate page cannot be used.
    """
    refuse_under_run()
    if settings.device == "cpu":
        # An unusable page is better reported now than by the programs.
        Page.open(settings.device, create=True).check()
    for point in points:
        point.record({"kind": "scenario", "scenario": point.scenario.to_json()})
    groups = points[0].scenario.groups()
    succeeded = True
    for number, programs in enumerate(groups):
        before = number / len(groups)

        def step(stage: str, share: float, before: float = before) -> None:
            progress(stage, before + share / len(groups))

        with Guard() as guard, ExitStack() as stack:
            group = _Group(points, programs, settings, guard, stack)
            try:
                group.measure(step)
            except ProgramFailedError as failure:
                succeeded = False
                group.record_all(group.failure(failure))
    for point in points:
        point.record({"kind": "end"})
    return succeeded


class _Group:
    """Programs that run at the same time, in all modes."""

    def __init__(
        self,
        points: Sequence[Point],
        programs: Sequence[Program],
        settings: Settings,
        guard: Guard,
        stack: ExitStack,
    ) -> None:
        self._points, self._scenario = points, points[0].scenario
        self._programs, self._settings = programs, settings
        self._stack = stack
        self._starts = Starts(self._scenario, programs, settings.device, guard, stack)
        self._runners: dict[str, dict[str, Runner]] = {}
        self._by_mode = share_an_address(programs)
        """Whether all loads of a mode follow each other."""
        self._at = ("", 0)
        self._of_point = [Segments(point, settings, guard.sessions) for point in points]
        self._segments = self._of_point[0]
        self._is_anew = False
        """Whether a rate was chosen anew in this round."""
        self._hopeless = False
        """Whether the last segment did not count in spite of all attempts. The machine may stay as
        it is, so that the next segment is not repeated."""

    def record_all(self, value: Mapping[str, Any]) -> None:
        """Records something that concerns the scenario at every load."""
        for point in self._points:
            point.record(value)

    def failure(self, failure: ProgramFailedError) -> dict[str, Any]:
        mode, number = self._at
        return {"kind": "failure", "mode": mode, "round": number, **failure.to_json()}

    def measure(self, progress: Progress) -> None:
        settings = self._settings
        progress("starting the programs", 0.0)
        wanted = self._start()
        if not wanted:
            return  # The records say why.
        progress("choosing sizes for this machine", 0.1)
        self._choose(wanted)
        order: list[tuple[str, Part]] = [(mode, None) for mode in wanted if mode != "alone"]
        if "alone" in wanted:
            order = [("alone", "before"), *order, ("alone", "after")]
        self._rounds(order, progress)
        if settings.timeline_seconds and self._scenario.together:
            self._timelines(progress)
            if settings.device == "cuda" and self._runners:
                self._device_times(next(iter(self._runners)))
        progress("done", 1.0)

    def _rounds(self, order: Sequence[tuple[str, Part]], progress: Progress) -> None:
        """Measures the rounds. If a rate is chosen anew, they start again: a later segment replaces
        the earlier one of the same round."""
        pace = self._settings.pace
        number = 0
        while number < self._settings.repeats:
            began = time.monotonic()
            if pace is not None and not pace.may_begin(began):
                return
            if self._whole_round(number, order, progress):
                number += 1
                if pace is not None:
                    pace.ended(time.monotonic() - began)
            else:
                number = 0

    def _whole_round(
        self, number: int, order: Sequence[tuple[str, Part]], progress: Progress
    ) -> bool:
        """Measures all modes of a round; returns False if earlier rounds had another rate."""
        repeats = self._settings.repeats
        self._is_anew = False
        found = steps(self._of_point, order, self._by_mode)
        for at, (segments, (mode, part)) in enumerate(found):
            self._turn_to(segments)
            share = 0.2 + 0.75 * (number + at / len(found)) / repeats
            title = f"round {number + 1} of {repeats}: {self._title(mode)}"
            progress(title, share)
            if mode in self._runners:
                again = partial(_again, progress, title, share)
                self._or_drop(mode, partial(self._round, mode, number, part, again))
            if self._is_anew and number > 0:
                return False
        return True

    def _turn_to(self, segments: Segments) -> None:
        """Sets the rates of the next segments, which are those of one load."""
        self._segments = segments
        for runners in self._runners.values():
            for name, runner in runners.items():
                if name in segments.chosen and isinstance(runner, ModelRunner | ServerRunner):
                    runner.rate = segments.chosen[name].rate

    def _title(self, mode: str) -> str:
        if self._scenario.together:
            load = self._segments.load
            return mode_name(mode) + ("" if load is None else f", load {load:g}")
        return f"{self._programs[0].name}, {mode_name('native' if mode == 'alone' else mode)}"

    def _or_drop(self, mode: str, step: Callable[[], object], what: str = "") -> None:
        """Runs a step of a mode. If the step fails, an optional mode is dropped and the reason
        recorded, after what was not measured if that is only a part; a required mode fails the
        run."""
        self._at = (mode, self._at[1])
        try:
            step()
        except ProgramFailedError as failure:
            if mode in modes.REQUIRED:
                raise
            for runner in self._runners.pop(mode, {}).values():
                runner.close()
            self.record_all({"kind": "mode", "mode": mode, "reason": what + str(failure)})

    def _start(self) -> list[str]:
        """Starts all programs of all modes; returns the modes that can be measured."""
        for mode in ordered(self._scenario.modes):
            reason = modes.missing(mode, self._settings.device, self._scenario)
            if reason is None:
                self._or_drop(mode, partial(self._start_mode, mode))
            else:
                self.record_all({"kind": "mode", "mode": mode, "reason": reason})
        self._stack.callback(self._starts.ask_servers_to_end)
        # All programs start before the first wait, so that they start in parallel.
        for mode, runners in list(self._runners.items()):
            if mode != "native" or "alone" not in self._runners:
                self._or_drop(mode, partial(_wait_until_started, runners))
        return list(self._runners)

    def _start_mode(self, mode: str) -> None:
        if mode == "native" and "alone" in self._runners:
            self._runners["native"] = self._runners["alone"]
            return
        self._runners[mode] = {}
        for program in self._programs:
            self._runners[mode][program.name] = self._starts.runner(mode, program)

    def _choose(self, wanted: Sequence[str]) -> None:
        """Chooses sizes and rates with each program alone, and loads them in all modes."""
        first = wanted[0]
        self._at = (first, 0)
        for program in self._programs:
            runner = self._runners[first][program.name]
            chosen = None
            if isinstance(runner, ModelRunner):
                chosen = sizes.choose(program, runner, self._settings.seconds, self._may_choose)
                self._load(program, runner, chosen.size)
            elif isinstance(runner, ServerRunner):
                runner.prepare()
                chosen = sizes.Chosen({}, runner.rate, runner.service_seconds())
            if chosen is not None and self._needs_capacity(program):
                assert isinstance(runner, ModelRunner | ServerRunner)
                assert chosen.service_seconds is not None
                most = sizes.capacity(runner, chosen.service_seconds)
                chosen = replace(chosen, capacity=most)
            for segments in self._of_point:
                segments.describe(program, chosen)

    def _may_choose(self) -> bool:
        pace = self._settings.pace
        return pace is None or pace.may_choose(time.monotonic())

    def _choose_anew(self, names: Iterable[str]) -> bool:
        """Chooses the rates anew that programs did not sustain alone in the last segment."""
        found = False
        for program in self._programs:
            described = self._segments.described[program.name]
            if program.name not in names or program.name not in self._segments.chosen:
                continue
            ms = better_service_ms(self._segments.last, program.name, described)
            if ms is not None:
                chosen = self._segments.chosen[program.name]
                self._segments.describe(program, sizes.anew(program, chosen, ms / 1e3))
                self._turn_to(self._segments)
                self._is_anew = found = True
        return found

    def _needs_capacity(self, program: Program) -> bool:
        """Whether a load is a share of what the program can answer, several requests at a time."""
        swept = self._scenario.load is not None and program.name == self._scenario.urgent.name
        return swept and program.tokens is not None

    def _load(self, program: Program, first: ModelRunner, size: Size) -> None:
        """Loads the chosen size of a program in all other modes, at the same time."""
        others = [
            (mode, other)
            for mode, runners in self._runners.items()
            if isinstance(other := runners[program.name], ModelRunner) and other is not first
        ]
        send = partial(ModelRunner.send_load, size=size)
        finish = partial(ModelRunner.finish_load, limit=0)
        for step in (send, finish):
            for mode, other in others:
                if mode in self._runners:
                    self._or_drop(mode, partial(step, other))

    def _round(self, mode: str, number: int, part: Part, again: Callable[[str], object]) -> None:
        """Measures one mode in one round: a segment, or one for each program."""
        self._at = (mode, number)
        runners = self._runners[mode]
        groups: list[Mapping[str, Runner]] = [runners]
        if mode == "alone" or not self._scenario.together:
            groups = [{name: each} for name, each in runners.items()]
        pace = self._settings.pace
        for group in groups:
            record = self._record_of(mode, group)
            if record is None:
                continue
            for attempt in range(_ATTEMPTS):
                began = time.monotonic()
                fault = self._segments.measure(mode, number, part, group, attempt, record)
                if fault is None:
                    break
                now = time.monotonic()
                late = pace is not None and not pace.may_repeat(now, now - began)
                if late or attempt + 1 == _ATTEMPTS:
                    break
                is_anew = pace is not None and part == "before" and self._choose_anew(group)
                if self._hopeless and not is_anew:
                    break
                again(fault)
            self._hopeless = fault is not None

    def _record_of(self, mode: str, group: Mapping[str, Runner]) -> Record | None:
        """Where the segment of a group is recorded; None: it has been measured at another load.

        What the other programs do alone does not depend on the load. Where all loads of a mode
        follow each other, one segment stands for all of them.
        """
        if mode != "alone" or not self._by_mode or self._scenario.urgent.name in group:
            return self._segments.record
        return self.record_all if self._segments is self._of_point[0] else None

    def _device_times(self, mode: str) -> None:
        """Records the device time of one request or batch of each program by itself.

        This comes last, because a process that has once been profiled may be slower afterwards.
        """
        self._at = (mode, self._settings.repeats)
        for name, runner in self._runners[mode].items():
            if isinstance(runner, ModelRunner):
                seconds = runner.device_seconds()
                device_ms = None if seconds is None else round(seconds * 1e3, 4)
                self.record_all({"kind": "device", "program": name, "device_ms": device_ms})

    def _timelines(self, progress: Progress) -> None:
        """Records a timeline of every mode in which the programs share the device."""
        shared = [mode for mode in self._runners if timeline.is_telling(mode, self._programs)]
        for mode, segments in product(shared, self._of_point):
            self._turn_to(segments)
            progress(f"a timeline: {self._title(mode)}", 0.95)
            if mode in self._runners:
                self._at = (mode, self._settings.repeats)
                self._or_drop(mode, partial(self._timeline, mode), "only its timeline: ")

    def _timeline(self, mode: str) -> None:
        seconds = self._settings.timeline_seconds
        self._segments.record(timeline.measure(mode, self._segments, self._runners[mode], seconds))


def _wait_until_started(runners: Mapping[str, Runner]) -> None:
    for runner in runners.values():
        if isinstance(runner, ModelRunner):
            runner.wait_until_started()
        elif isinstance(runner, ServerRunner) and runner.own_port:
            runner.prepare()


def _again(progress: Progress, title: str, share: float, fault: str) -> None:
    progress(f"{title}, again ({fault})", share)
