"""Sizes and rates are chosen by what a machine can do, without one."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from giveway.bench import sizes
from giveway.bench.runner import Assignment
from giveway.scenarios.model import Arrivals, Program, Size
from giveway.scenarios.traces import Arrival

IMAGES = tuple({"batch": 1, "image": image} for image in (128, 112, 96))
BATCHES = tuple({"batch": batch, "image": 96} for batch in (8, 4, 2, 1))


class FakeRunner:
    """A program that takes ``seconds`` for each image and pixel of a run."""

    rate: float | None = None

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def load(self, size: Size, limit: float = 0.0) -> float:
        self.duration = self.seconds * size["batch"] * size["image"] ** 2
        return self.duration

    def begin(self, assignment: Assignment) -> None:
        assert self.rate is not None
        assert 1000.0 < assignment.segment.start < 1001.0

    def finish(self) -> dict[str, Any]:
        # Among gaps a request takes a little longer than back to back.
        return {"spans": [[0.0, 0.0, 1.1 * self.duration]] * 20}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "time", SimpleNamespace(monotonic=lambda: 1000.0))


def choose(program: Program, seconds: float, segment: float = 5.0) -> sizes.Chosen:
    return sizes.choose(program, FakeRunner(seconds), segment)  # type: ignore[arg-type]


def requests(**arrivals: Any) -> Program:
    return Program("high", Arrivals("fixed", **arrivals), model="resnet18", sizes=IMAGES)


def test_a_fast_machine_gets_the_largest_sizes() -> None:
    chosen = choose(requests(busy=0.25), 1e-7)
    assert chosen.size["image"] == 128
    assert chosen.service_seconds == pytest.approx(1.1e-7 * 128**2)
    assert chosen.rate == pytest.approx(0.25 / (1.1e-7 * 128**2), rel=1e-3)
    batches = Program("low", Arrivals("saturating"), model="resnet50", sizes=BATCHES)
    assert choose(batches, 1e-7).size["batch"] == 8


def test_a_slow_machine_gets_smaller_ones() -> None:
    # 96 × 96: 0.0152 s a request, 82 of them in five seconds.
    chosen = choose(requests(busy=0.25), 1.5e-6)
    assert chosen.size["image"] == 96
    batches = Program("low", Arrivals("saturating"), model="resnet50", sizes=BATCHES)
    assert choose(batches, 6e-6).size["batch"] == 4
    assert choose(batches, 1e-3).size["batch"] == 1
    assert choose(batches, 1e-3).rate is None


def test_the_wished_rate_is_kept_where_the_machine_can_do_it() -> None:
    assert choose(requests(rate=10, busy=0.4), 1e-7).rate == 10
    # At 10 a second it would be at work for 1.1 s of each.
    slow = choose(requests(rate=10, busy=0.4), 1.2e-5)
    assert slow.rate == pytest.approx(0.4 / (1.1 * 1.2e-5 * 96**2), rel=1e-3)
    assert choose(requests(rate=10), 1.2e-5).rate == 10


def test_a_disturbed_probe_is_repeated() -> None:
    """A rate chosen from it would make all modes slower, alone included."""
    times = iter([5.0, 1.0, 1.1])

    class Disturbed(FakeRunner):
        def finish(self) -> dict[str, Any]:
            return {"spans": [[0.0, 0.0, next(times) * self.duration]] * 20}

    chosen = sizes.choose(requests(busy=0.25), Disturbed(1e-7), 5.0)  # type: ignore[arg-type]
    assert chosen.service_seconds == pytest.approx(1.1e-7 * 128**2)


def test_of_probes_that_never_agree_the_least_counts() -> None:
    times = iter([8.0, 4.0, 2.0, 3.0])

    class Disturbed(FakeRunner):
        def finish(self) -> dict[str, Any]:
            return {"spans": [[0.0, 0.0, next(times) * self.duration]] * 20}

    chosen = sizes.choose(requests(busy=0.25), Disturbed(1e-7), 5.0)  # type: ignore[arg-type]
    assert chosen.service_seconds == pytest.approx(2e-7 * 128**2)


def test_when_time_is_short_the_last_size_has_to_do_as_it_is() -> None:
    loaded = []

    class Hurried(FakeRunner):
        def load(self, size: Size, limit: float = 0.0) -> float:
            loaded.append(size["image"])
            return super().load(size, limit)

        def finish(self) -> dict[str, Any]:
            raise AssertionError("there was no time for a probe")

    chosen = sizes.choose(requests(busy=0.25), Hurried(1e-5), 5.0, lambda: False)  # type: ignore[arg-type]
    assert loaded == [96]
    assert chosen.service_seconds == pytest.approx(1e-5 * 96**2)
    # The time is up after a look at the largest size, which is too slow.
    chosen = sizes.choose(requests(busy=0.25), Hurried(1e-5), 5.0, lambda: len(loaded) < 2)  # type: ignore[arg-type]
    assert loaded == [96, 128, 96]
    assert chosen.rate == pytest.approx(0.25 / (1e-5 * 96**2), rel=1e-3)


class Batching:
    """A server that answers 40 requests a second, several together, and each in 0.1 s."""

    rate: float = 0.0

    def begin(self, assignment: Assignment) -> None:
        self.seconds = assignment.segment.seconds

    def finish(self) -> dict[str, Any]:
        due = [number / self.rate for number in range(round(self.seconds * self.rate))]
        ended = [max(each + 0.1, number / 40) for number, each in enumerate(due, 1)]
        return {"spans": [[a, a, b] for a, b in zip(due, ended, strict=True)]}


def test_the_capacity_of_a_server_is_what_it_answers_together() -> None:
    found = sizes.capacity(Batching(), 0.1)
    assert found == pytest.approx(40, rel=0.02)
    chosen = sizes.Chosen({}, 4.0, 0.1)
    assert chosen.at(0.5).rate == 5
    assert dataclasses.replace(chosen, capacity=found).at(0.5).rate == pytest.approx(20, rel=0.02)


def test_a_trace_has_its_own_rate() -> None:
    arrivals = Arrivals("trace", trace=tuple(map(Arrival, (0.0, 0.1, 0.2))))
    program = Program("high", arrivals, model="resnet18", sizes=IMAGES)
    assert choose(program, 1e-8).rate == 10
