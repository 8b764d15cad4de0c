"""Runs a scenario: the same programs in every mode, one mode after the other, round after round.

The modes are interleaved (A B C A B C), so that a machine that drifts does so under all of them.
Whatever is measured is handed out as soon as it is there: a run that is killed has lost nothing but
the segment it was in.
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
from giveway.bench.runner import Runner, Stretch
from giveway.devices import nvml
from giveway.errors import UsageError
from giveway.page.observer import Page
from giveway.scenarios.model import Program, Scenario

_HEAD_START: Final = 0.05
"""Seconds from telling the programs to the start of their segment."""

_STARVING_TAIL: Final = 2.0

Record = Callable[[Mapping[str, Any]], None]
"""Keeps one line of raw results; docs/reference/results.md has their schema."""
Progress = Callable[[str, float], None]
"""Told the name of each stage and the share of the scenario that lies behind it, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure."""

    device: str
    modes: tuple[str, ...]
    seconds: float
    """That count, of each segment."""
    repeats: int
    timeline_seconds: float = 1.0
    """Of the segments that a timeline is made of, which do not count; 0: none."""

    @property
    def warm_seconds(self) -> float:
        return round(min(1.0, max(0.2, 0.15 * self.seconds)), 3)

    def segment(self, tail: float, seconds: float | None = None) -> Segment:
        """A segment that starts in a moment."""
        warm = self.warm_seconds
        start = time.monotonic() + _HEAD_START
        return Segment(
            start, warm, self.seconds if seconds is None else seconds, max(tail, warm / 2)
        )


def run(scenario: Scenario, settings: Settings, record: Record, progress: Progress) -> bool:
    """Measures one scenario; False where a program failed, which is then on record.

    No process is left, however this ends.

    Raises:
        UsageError: called under giveway run.
        PageError: the gate page cannot be used.
    """
    if "GIVEWAY_RUN" in os.environ:
        raise UsageError(
            "giveway bench and demo start their programs: call them without giveway run"
        )
    if settings.device == "cpu":
        # A page that cannot be used is better found out now than by the programs.
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
                    self._or_without(mode, partial(self._round, mode, number))
        if settings.timeline_seconds and self._scenario.together:
            progress("a timeline", 0.95)
            for mode in ("native", "giveway"):
                if mode in wanted:
                    self._timeline(mode)
        progress("done", 1.0)

    def _title(self, mode: str) -> str:
        if self._scenario.together:
            return modes.TITLES[mode]
        return f"{self._programs[0].name}, {'with' if mode == 'giveway' else 'without'} giveway"

    def _or_without(self, mode: str, do: Callable[[], object]) -> None:
        """Does something in a mode; one that can be done without is given up where that fails."""
        self._at = (mode, self._at[1])
        try:
            do()
        except ProgramFailedError as failure:
            if mode in modes.REQUIRED:
                raise
            for runner in self._runners.pop(mode, {}).values():
                runner.close()
            self._record({"kind": "mode", "mode": mode, "reason": str(failure)})

    def _start(self) -> list[str]:
        """Starts all programs of all modes; the modes that there are."""
        for mode in self._settings.modes:
            reason = modes.missing(mode, self._settings.device, self._scenario)
            if reason is None:
                self._or_without(mode, partial(self._start_mode, mode))
            else:
                self._record({"kind": "mode", "mode": mode, "reason": reason})
        # All were started before the first is waited for.
        for mode, runners in list(self._runners.items()):
            if mode != "native" or "alone" not in self._runners:
                self._or_without(mode, partial(_started, runners))
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
        """Sizes and rates, from the programs alone; then everybody loads them."""
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
                    self._or_without(mode, partial(other.load, chosen.size))

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
            runner.begin(Stretch(segment, seed=1000 * number + at))
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
        """Long where somebody is held all the time: its last batch is to end while it still is."""
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
        """A program that runs ungated still runs: without this, the figures would show no gain and
        nobody would know why."""
        for name in runners:
            if not after[name].launches:
                raise ProgramFailedError(
                    name, "is not gated (giveway saw no launch of it; see giveway doctor)"
                )

    def _timeline(self, mode: str) -> None:
        self._at = (mode, self._settings.repeats)
        runners = self._runners[mode]
        if mode == "giveway":
            most = max(program.priority for program in self._programs)
            for program in self._programs:
                if program.priority < most:
                    runners[program.name].watch()
        for runner in runners.values():
            runner.prepare()
        tail = self._tail(runners)
        segment = self._settings.segment(tail, self._settings.timeline_seconds)
        for at, runner in enumerate(runners.values()):
            runner.begin(Stretch(segment, seed=at, spans=True))
        _sleep_until(segment.counted_from)
        for runner in runners.values():
            runner.mark()
        sessions = {name: runner.session for name, runner in runners.items()}
        seen = timeline.Seen()
        if mode == "giveway":
            seen = timeline.sample(self._reader, sessions, segment)
        _sleep_until(segment.end)
        for runner in runners.values():
            runner.mark()
        answers = {name: runner.finish() for name, runner in runners.items()}
        self._record(timeline.to_json(mode, segment, answers, seen))


def _started(runners: Mapping[str, Runner]) -> None:
    for runner in runners.values():
        if isinstance(runner, ModelRunner):
            runner.started()


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
