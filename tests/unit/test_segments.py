"""What a segment asks of programs: every mode of a round has the same arrivals."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from giveway.bench import load, segments
from giveway.bench.arrivals import due_times
from giveway.bench.counters import Counters, Reader
from giveway.bench.loops import Segment
from giveway.bench.runner import Assignment
from giveway.bench.segments import Point, Segments, Settings
from giveway.results.rounds import Described
from giveway.scenarios.model import Arrivals, Program, Scenario
from giveway.scenarios.traces import Arrival

PROGRAMS = tuple(
    Program(name, Arrivals("poisson", rate=20), priority=-number, model="resnet18")
    for number, name in enumerate("abc")
)
SCENARIO = Scenario("tenants", "Three", PROGRAMS)
SETTINGS = Settings("cpu", seconds=2.0, repeats=2)


class FakeRunner:
    """A program that answers at once."""

    session = None

    def __init__(self, trace: Sequence[Arrival] = ()) -> None:
        self.assignments: list[Assignment] = []
        self._process = "trace" if trace else "poisson"
        self._trace = [each.at for each in trace]

    def prepare(self) -> None: ...

    def mark(self) -> None: ...

    def begin(self, assignment: Assignment) -> None:
        self.assignments.append(assignment)

    def finish(self) -> dict[str, Any]:
        return {"latencies_us": [1e3] * 40, "busy_seconds": 0.04, "done": 40.0}

    def due(self, number: int) -> list[float]:
        """When the requests of a segment are due, from the start of its counted seconds."""
        given = self.assignments[number]
        segment = given.segment
        span = segment.over - segment.start
        moments = due_times(
            self._process, 20, segment.start, span, given.seed, self._trace, given.skip
        )
        counted = [each for each in moments if segment.counted_from <= each < segment.end]
        return [round(each - segment.counted_from, 6) for each in counted]


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that measures a segment in no time."""
    monkeypatch.setattr(
        segments, "time", SimpleNamespace(monotonic=lambda: 1000.0, sleep=lambda _: None)
    )
    monkeypatch.setattr(load, "read", lambda: load.Load(1000.0, 2, 0.0, 0.0, 0.0, None))
    records: list[dict[str, Any]] = []
    point = Point(SCENARIO, lambda record: records.append(dict(record)))
    measured = Segments(point, SETTINGS, own=())
    monkeypatch.setattr(
        measured.reader, "counters", lambda sessions, gated: dict.fromkeys(sessions, Counters())
    )

    def one(mode: str, part: Any, **runners: FakeRunner) -> tuple[str | None, dict[str, Any]]:
        found = measured.measure(mode, 1, part, runners, 0, measured.record)  # type: ignore[arg-type]
        return found, records[-1]

    one.segments = measured  # type: ignore[attr-defined]
    return one


def test_every_program_has_the_same_arrivals_in_every_mode(measure: Any) -> None:
    """Alone, each program was the first of its segment, and had the arrivals of the first."""
    runners = {name: FakeRunner() for name in "abc"}
    for part in ("before", "after"):
        for name, runner in runners.items():
            measure("alone", part, **{name: runner})
    measure("native", None, **runners)
    every = []
    for runner in runners.values():
        before, after, together = (runner.due(number) for number in range(3))
        assert [*before, *(round(each + 1.0, 6) for each in after)] == pytest.approx(together)
        assert len(together) > 10
        every.append(tuple(together))
    assert len(set(every)) == 3


def test_a_trace_goes_on_from_round_to_round(measure: Any) -> None:
    """Each round had the beginning of the trace, so that nothing of its rest was ever measured."""
    trace = tuple(Arrival(float(at * at)) for at in range(70))  # 3.5 s, not the 2 s of a round
    program = replace(PROGRAMS[0], arrivals=Arrivals("trace", rate=20, trace=trace))
    runner = FakeRunner(trace)
    point = Point(replace(SCENARIO, programs=(program,)), lambda _: None)
    measured = Segments(point, SETTINGS, own=())
    measured.reader = measure.segments.reader
    for number in range(2):
        for mode, part in (("alone", "before"), ("alone", "after"), ("native", None)):
            measured.measure(mode, number, part, {"a": runner}, 0, measured.record)  # type: ignore[arg-type]
    two_rounds = FakeRunner(trace)
    segment = Segment(1000.05, SETTINGS.warm_seconds, 2 * SETTINGS.seconds, 0.5)
    two_rounds.begin(Assignment(segment, 0))
    for first in (0, 3):
        before, after, together = (runner.due(first + number) for number in range(3))
        assert [*before, *(round(each + 1.0, 6) for each in after)] == pytest.approx(together)
    later = [round(each + 2.0, 6) for each in runner.due(5)]
    assert [*runner.due(2), *later] == pytest.approx(two_rounds.due(0))


def test_both_parts_of_alone_have_the_seconds_of_one_segment(measure: Any) -> None:
    _, before = measure("alone", "before", a=FakeRunner())
    _, after = measure("alone", "after", a=FakeRunner())
    _, together = measure("native", None, a=FakeRunner())
    assert before["seconds"] + after["seconds"] == together["seconds"]
    assert (before["part"], after["part"], together["part"]) == ("before", "after", None)


def test_a_segment_says_why_it_does_not_count(
    measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure.segments.described = {"a": Described(open_loop=True, service_ms=1.0)}
    assert measure("alone", "before", a=FakeRunner())[0] is None
    moments = iter((0.0, 1.0))

    def busy() -> load.Load:
        at = next(moments)
        return load.Load(1000.0 + at, 2, at, 0.0, 0.0, None)

    monkeypatch.setattr(load, "read", busy)
    fault, record = measure("alone", "before", a=FakeRunner())
    assert fault == "other programs used 50% of the processor time"
    assert record["load"]["others"] == 0.5


def test_an_intruder_that_leaves_before_the_end_is_seen_too(
    measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = measure.segments.reader
    monkeypatch.setattr(
        reader, "counters", lambda sessions, gated: dict.fromkeys(sessions, Counters(launches=1))
    )
    looks = iter([["the task 'brief'", "a daemon"], ["a daemon"]])
    monkeypatch.setattr(reader, "intruders", lambda own: next(looks))
    fault, record = measure("giveway", None, a=FakeRunner())
    assert record["intruders"] == ["the task 'brief'", "a daemon"]
    assert fault == "the task 'brief' and a daemon decided or used the gate page too"
    # Programs without giveway do not meet at the page.
    assert measure("native", None, a=FakeRunner())[1]["intruders"] == []


def test_a_task_of_any_program_of_the_run_is_no_intruder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of other modes wait meanwhile, and keep their tasks."""
    task = SimpleNamespace(name="bench-low", pid=os.getpid(), ticket=7)
    page = SimpleNamespace(tasks=lambda: [task], decider=lambda: 0)
    reader = Reader("cpu")
    monkeypatch.setattr(reader, "_missing", [])
    monkeypatch.setattr(reader, "_pages", [page])
    assert reader.intruders({os.getsid(0), -1}) == []
    assert reader.intruders({-1}) == [f"the task 'bench-low' (pid {os.getpid()})"]
