"""What is recorded in the extra segment of each mode."""

from __future__ import annotations

import pytest

from giveway.bench import timeline
from giveway.bench.loops import Segment
from giveway.bench.timeline import MOST_PERIODS, Samples, is_telling, to_json
from giveway.results.preemption import Closing, Closings
from giveway.scenarios.model import Arrivals, Program, Server
from tests.unit.test_segments import FakeRunner

SEGMENT = Segment(100.0, warm=1.0, seconds=2.0, tail=0.5)
SATURATING = Arrivals("saturating")
MODEL = Program("high", SATURATING, 1, "resnet18")
COMMAND = Program("low", SATURATING, command=("x",))


def test_every_shared_mode_has_a_timeline_unless_it_would_be_empty() -> None:
    served = Program("low", SATURATING, command=("x",), server=Server("http://x/completions"))
    for told in (MODEL, served):
        for mode in ("native", "streams", "mps", "nice", "giveway 10%", "mps+giveway"):
            assert is_telling(mode, [COMMAND, told])
    assert is_telling("giveway", [COMMAND])
    assert is_telling("mps+giveway 10%", [COMMAND])
    assert not is_telling("mps", [COMMAND])
    assert not is_telling("alone", [MODEL])


def test_it_has_the_kernels_of_all_programs_in_the_counted_seconds() -> None:
    spans = [[0.1, 0.1, 0.9], [0.5, 0.9, 1.1], [2.9, 2.9, 3.2], [3.1, 3.1, 3.2]]
    device = [[0.2, 0.9], [0.95, 1.05], [2.0, 2.5], [3.01, 3.1]]
    answers = {name: {"spans": spans, "device": device} for name in ("high", "low")}
    found = to_json("mps", SEGMENT, {**answers, "other": {}}, Samples())
    assert found["mode"] == "mps"
    assert (found["start"], found["end"]) == (1.0, 3.0)
    assert found["spans"] == {"high": spans[1:3], "low": spans[1:3], "other": []}
    assert found["device"] == {"high": device[1:3], "low": device[1:3]}
    assert (found["states"], found["closings"], found["sample_seconds"]) == ({}, {}, None)


def test_the_number_of_periods_is_bounded_and_gates_keep_their_gap() -> None:
    short = [[1 + at / 10_000, 1 + at / 10_000 + 0.00009] for at in range(10_000)]
    for late in range(3000, 10_000, 3):  # longer gaps than that of the gate, and too many to keep
        short[late][1] -= 0.00002
    closings = Closings()
    closings.found.append(Closing(101.2, held=101.20005))
    samples = Samples({"low": [[1.0, "active"]]}, {"low": closings})
    found = to_json("giveway", SEGMENT, {"low": {"device": short}}, samples)
    periods = found["device"]["low"]
    assert len(periods) <= MOST_PERIODS + 1
    assert (periods[0][0], periods[-1][1]) == (short[0][0], short[-1][1])
    assert found["closings"] == {"low": [[1.2, 1.20005, None]]}
    ends = [ended for _, ended in periods]
    assert 1.20009 in [round(each, 6) for each in ends], "the work in flight ends where it did"


class Recorder(FakeRunner):
    """A program that can record its kernels, and says in which order it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def record_kernels(self) -> None:
        self.asked.append("record_kernels")

    def prepare(self) -> None:
        self.asked.append("prepare")


@pytest.mark.parametrize("mode", ["native", "mps", "nice"])
def test_all_programs_record_in_every_mode(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Given:
        """Segments of which the next one is given."""

        def next(self, *_: object) -> Segment:
            return SEGMENT

        def seed(self, *_: object) -> int:
            return 0

    monkeypatch.setattr(timeline, "sleep_until", lambda _: None)
    runners = {"high": Recorder(), "low": Recorder()}
    record = timeline.measure(mode, Given(), runners, 2.0)  # type: ignore[arg-type]
    assert (record["kind"], record["mode"]) == ("timeline", mode)
    for each in runners.values():
        assert each.asked == ["record_kernels", "prepare"]
        assert each.assignments[0].spans
