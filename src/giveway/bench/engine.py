"""Runs a scenario: the same programs in every mode, one mode after the other, round after round.

The modes are interleaved (A B C A B C), so that drift of the machine affects all modes alike. Each
segment is recorded as soon as it is over, so that a killed run loses only the current segment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from giveway.bench import counters, modes, pinning, sizes, timeline
from giveway.bench.command_runner import CommandRunner
from giveway.bench.guard import Guard
from giveway.bench.loops import Segment
from giveway.bench.model_runner import ModelRunner
from giveway.bench.mps import Mps
from giveway.bench.process import ProgramFailedError
from giveway.bench.runner import Assignment, Runner
from giveway.devices import nvml
from giveway.errors import UsageError
from giveway.page.observer import Page
from giveway.results.names import mode_name
from giveway.scenarios.model import Program, Scenario

_HEAD_START: Final = 0.05
"""Seconds from sending a segment to the programs until it starts."""
_STARVING_TAIL: Final = 2.0

Record = Callable[[Mapping[str, Any]], None]
"""Writes one record of the raw results; docs/reference/results.md has the schema."""
Progress = Callable[[str, float], None]
"""Called with the name of each stage and the completed share of the scenario, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a measurement."""

    device: str
    modes: tuple[str, ...]
    seconds: float
    """The counted seconds of each segment."""
    repeats: int
    timeline_seconds: float = 1.0
    """The length of the extra segments for timelines, which do not count; 0: no timelines."""

    @property
    def warm_seconds(self) -> float:
        return round(min(1.0, max(0.2, 0.15 * self.seconds)), 3)

    def segment(self, tail: float, seconds: float | None = None) -> Segment:
        """A segment that starts in ``_HEAD_START`` seconds."""
        warm = self.warm_seconds
        start = time.monotonic() + _HEAD_START
        return Segment(
            start, warm, self.seconds if seconds is None else seconds, max(tail, warm / 2)
        )


def run(scenario: Scenario, settings: Settings, record: Record, progress: Progress) -> bool:
    """Measures one scenario. Returns False if a program failed; the failure is recorded.

    All processes are ended, even if the run is interrupted.

    Raises:
        UsageError: the caller runs under giveway run.
        PageError: the gate page cannot be used.
    """
    if "GIVEWAY_RUN" in os.environ:
        raise UsageError(
            "giveway bench and giveway demo start their programs: call them without giveway run"
        )
    if settings.device == "cpu":
        # An unusable page is better reported now than by the programs.
        Page.open(settings.device, create=True).check()
    record({"kind": "scenario", "scenario": scenario.to_json()})
    groups = scenario.groups()
    succeeded = True
    for number, programs in enumerate(groups):
        before = number / len(groups)

        def step(stage: str, share: float, before: float = before) -> None:
            progress(stage, before + share / len(groups))

        with Guard() as guard, ExitStack() as stack:
            group = _Group(scenario, programs, settings, record, guard, stack)
            try:
                group.measure(step)
            except ProgramFailedError as failure:
                succeeded = False
                record(group.failure(failure))
    record({"kind": "end"})
    return succeeded


class _Group:
    """Programs that run at the same time, in all modes."""

    def __init__(
        self,
        scenario: Scenario,
        programs: Sequence[Program],
        settings: Settings,
        record: Record,
        guard: Guard,
        stack: ExitStack,
    ) -> None:
        self._scenario, self._programs, self._settings = scenario, programs, settings
        self._record, self._guard, self._stack = record, guard, stack
        self._runners: dict[str, dict[str, Runner]] = {}
        self._pins = pinning.prefixes(
            [each.name for each in programs], settings.device, sorted(os.sched_getaffinity(0))
        )
        self._at = ("", 0)
        self._reader = counters.Reader(settings.device)
        self._gpu = nvml.Utilization() if settings.device == "cuda" else None

    def failure(self, failure: ProgramFailedError) -> dict[str, Any]:
        mode, number = self._at
        return {
            "kind": "failure",
            "program": failure.title,
            "mode": mode,
            "round": number,
            "what": failure.what,
            "last_lines": failure.last_lines,
        }

    def measure(self, progress: Progress) -> None:
        settings = self._settings
        progress("starting the programs", 0.0)
        wanted = self._start()
        progress("choosing sizes for this machine", 0.1)
        self._choose(wanted)
        for number in range(settings.repeats):
            for at, mode in enumerate(wanted):
                share = (number + at / len(wanted)) / settings.repeats
                title = f"round {number + 1} of {settings.repeats}: {self._title(mode)}"
                progress(title, 0.2 + 0.75 * share)
                if mode in self._runners:
                    self._or_drop(mode, partial(self._round, mode, number))
        if settings.timeline_seconds and self._scenario.together:
            progress("a timeline", 0.95)
            for mode in ("native", "giveway"):
                if mode in wanted:
                    self._timeline(mode)
        progress("done", 1.0)

    def _title(self, mode: str) -> str:
        if self._scenario.together:
            return mode_name(mode)
        return f"{self._programs[0].name}, {mode_name('native' if mode == 'alone' else mode)}"

    def _or_drop(self, mode: str, step: Callable[[], object]) -> None:
        """Runs a step of a mode. If the step fails, an optional mode is dropped and the reason
        recorded; a required mode fails the run."""
        self._at = (mode, self._at[1])
        try:
            step()
        except ProgramFailedError as failure:
            if mode in modes.REQUIRED:
                raise
            for runner in self._runners.pop(mode, {}).values():
                runner.close()
            self._record({"kind": "mode", "mode": mode, "reason": str(failure)})

    def _start(self) -> list[str]:
        """Starts all programs of all modes; returns the modes that can be measured."""
        for mode in self._settings.modes:
            reason = modes.missing(mode, self._settings.device, self._scenario)
            if reason is None:
                self._or_drop(mode, partial(self._start_mode, mode))
            else:
                self._record({"kind": "mode", "mode": mode, "reason": reason})
        # All programs start before the first wait, so that they start in parallel.
        for mode, runners in list(self._runners.items()):
            if mode != "native" or "alone" not in self._runners:
                self._or_drop(mode, partial(_wait_until_started, runners))
        return list(self._runners)

    def _start_mode(self, mode: str) -> None:
        if mode == "native" and "alone" in self._runners:
            self._runners["native"] = self._runners["alone"]
            return
        folder = self._stack.enter_context(Mps(self._guard)) if mode == "mps" else None
        self._runners[mode] = {}
        for program in self._programs:
            self._runners[mode][program.name] = self._runner(mode, program, folder)

    def _runner(self, mode: str, program: Program, mps_folder: str | None) -> Runner:
        settings = self._settings
        setup = modes.setup(mode, settings.device, self._scenario, program, mps_folder)
        prefix = (*self._pins.get(program.name, ()), *setup.prefix)
        common = (setup.environment, self._guard, prefix)
        runner: Runner
        if program.command:
            runner = CommandRunner(program, self._scenario, *common)
        else:
            runner = ModelRunner(
                program, self._scenario, settings.device, *common, stream=setup.stream
            )
        self._stack.callback(runner.close)
        return runner

    def _choose(self, wanted: Sequence[str]) -> None:
        """Chooses sizes and rates with each program alone, and loads them in all modes."""
        first = wanted[0]
        self._at = (first, 0)
        for program in self._programs:
            runner = self._runners[first][program.name]
            if not isinstance(runner, ModelRunner):
                continue
            chosen = sizes.choose(program, runner, self._settings.seconds)
            self._record({"kind": "sizes", "program": program.name, **chosen.to_json()})
            for mode, runners in list(self._runners.items()):
                other = runners[program.name]
                assert isinstance(other, ModelRunner)
                other.rate = chosen.rate
                if other is not runner:
                    self._or_drop(mode, partial(other.load, chosen.size))

    def _round(self, mode: str, number: int) -> None:
        self._at = (mode, number)
        runners = self._runners[mode]
        if mode == "alone" or not self._scenario.together:
            for name, runner in runners.items():
                self._segment(mode, number, {name: runner})
        else:
            self._segment(mode, number, runners)

    def _segment(self, mode: str, number: int, runners: Mapping[str, Runner]) -> None:
        for runner in runners.values():
            runner.prepare()
        segment = self._settings.segment(self._tail(runners))
        for at, runner in enumerate(runners.values()):
            runner.begin(Assignment(segment, seed=1000 * number + at))
        _sleep_until(segment.counted_from)
        before = self._mark(mode, runners)
        _sleep_until(segment.end)
        after = self._mark(mode, runners)
        answers = {name: runner.finish() for name, runner in runners.items()}
        for name in runners:
            answers[name] |= after[name].since(before[name])
        self._record(
            {
                "kind": "segment",
                "mode": mode,
                "round": number,
                "seconds": segment.seconds,
                "device_busy_share": self._busy(answers, segment),
                "programs": answers,
            }
        )
        if mode == "giveway":
            self._check_gated(runners, after)

    def _tail(self, runners: Mapping[str, Runner]) -> float:
        """The tail of a segment in seconds.

        It is longer if a program may be held all the time, because the last batch of that program
        has to end while the others still run.
        """
        running = [each for each in self._programs if each.name in runners]
        least = min(each.priority for each in running)
        starving = any(each.priority > least and not each.arrivals.open_loop for each in running)
        return _STARVING_TAIL if starving else 0.0

    def _mark(self, mode: str, runners: Mapping[str, Runner]) -> dict[str, counters.Counters]:
        for runner in runners.values():
            runner.mark()
        sessions = {name: runner.session for name, runner in runners.items()}
        return self._reader.counters(sessions, gated=mode == "giveway")

    def _busy(self, answers: Mapping[str, Any], segment: Segment) -> float | None:
        if self._settings.device == "cpu":
            cores = len(os.sched_getaffinity(0))
            busy = sum(answer["cpu_seconds"] for answer in answers.values())
            return round(float(busy) / (cores * segment.seconds), 4)
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

    def _timeline(self, mode: str) -> None:
        self._at = (mode, self._settings.repeats)
        runners = self._runners[mode]
        if mode == "giveway":
            most = max(program.priority for program in self._programs)
            for program in self._programs:
                if program.priority < most:
                    runners[program.name].record_kernels()
        for runner in runners.values():
            runner.prepare()
        tail = self._tail(runners)
        segment = self._settings.segment(tail, self._settings.timeline_seconds)
        for at, runner in enumerate(runners.values()):
            runner.begin(Assignment(segment, seed=at, spans=True))
        _sleep_until(segment.counted_from)
        for runner in runners.values():
            runner.mark()
        sessions = {name: runner.session for name, runner in runners.items()}
        samples = timeline.Samples()
        if mode == "giveway":
            samples = timeline.sample(self._reader, sessions, segment)
        _sleep_until(segment.end)
        for runner in runners.values():
            runner.mark()
        answers = {name: runner.finish() for name, runner in runners.items()}
        self._record(timeline.to_json(mode, segment, answers, samples))


def _wait_until_started(runners: Mapping[str, Runner]) -> None:
    for runner in runners.values():
        if isinstance(runner, ModelRunner):
            runner.wait_until_started()


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
