"""The loads of the bench: requests do not wait for each other, batches are counted to the edge."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.bench.arrivals import due_times
from giveway.bench.loops import Run, Segment, repeat, serve
from giveway.bench.recorder import Recorder
from giveway.results.stats import percentile

START = 1000.0


class Clock:
    """Time that passes only when the program sleeps or works."""

    def __init__(self) -> None:
        self.now = START - 1.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds

    def worker(self, durations: Callable[[int], float]) -> Callable[[], None]:
        calls = iter(range(10**9))
        return lambda: self.sleep(durations(next(calls)))

    def serve(self, work: Callable[[], None], segment: Segment, period: float) -> Run:
        count = math.ceil(round((segment.over - segment.start) / period, 6))
        due = [segment.start + number * period for number in range(count)]
        return serve(work, segment, due, self, self.sleep)


@given(
    period=st.floats(0.01, 0.1),
    share=st.floats(0.05, 0.95),
    stall=st.floats(0, 2),
    at=st.integers(0, 20),
)
def test_a_stall_is_charged_to_every_request_that_it_delays(
    period: float, share: float, stall: float, at: int
) -> None:
    clock = Clock()
    service = share * period
    work = clock.worker(lambda call: service + (stall if call == at else 0))
    run = clock.serve(work, Segment(START, 0, 60 * period), period)
    late = 0.0
    for number, latency in enumerate(run.latencies):
        late = max(0.0, late - period + service) if number else 0.0
        expected = late + service + (stall if number == at else 0)
        assert latency == pytest.approx(expected, abs=1e-6)
        late = expected - service
    assert len(run.latencies) == 60


def test_a_stall_of_half_a_second_shows_in_p99() -> None:
    clock = Clock()
    work = clock.worker(lambda call: 0.5 if call == 20 else 0.001)
    due = due_times("poisson", 100, START, 1.5, seed=4)
    run = serve(work, Segment(START, 0, 1.5), due, clock, clock.sleep)
    assert percentile(run.latencies, 99) >= 0.45
    # A loop that asks only after the last answer would have seen a single slow request.
    assert sum(latency > 0.1 for latency in run.latencies) >= 25


def test_requests_of_head_and_tail_are_served_and_not_counted() -> None:
    clock = Clock()
    moments: list[float] = []

    def work() -> None:
        moments.append(clock.now)
        clock.sleep(0.1 if START + 1 <= clock.now < START + 3 else 0.5)

    run = clock.serve(work, Segment(START, 1.0, 2.0, 1.0), 0.5)
    assert moments == [START + 0.5 * number for number in range(8)]
    assert list(run.latencies) == pytest.approx([0.1] * 4)
    assert run.busy == pytest.approx(0.4)
    assert run.done == 4
    assert [span[0] for span in run.spans] == pytest.approx([0.5 * number for number in range(8)])


def test_requests_due_before_the_end_are_answered_after_it() -> None:
    clock = Clock()
    run = clock.serve(clock.worker(lambda _: 1.0), Segment(START, 0, 1.0), 0.25)
    assert list(run.latencies) == pytest.approx([1.0, 1.75, 2.5, 3.25])
    # Of the second that counts, no more than all of it.
    assert run.busy == pytest.approx(1.0)


def test_a_backlog_does_not_drag_the_tail_along() -> None:
    clock = Clock()
    run = clock.serve(clock.worker(lambda _: 1.0), Segment(START, 0, 1.0, 0.5), 0.25)
    assert len(run.spans) == 4


@given(duration=st.floats(0.001, 3), warm=st.floats(0, 2), seconds=st.floats(0.5, 5))
def test_batches_are_counted_by_the_fraction_inside(
    duration: float, warm: float, seconds: float
) -> None:
    clock = Clock()
    segment = Segment(START, warm, seconds, 0.5)
    run = repeat(clock.worker(lambda _: duration), segment, clock, clock.sleep, 1 << 14)
    assert run.done == pytest.approx(seconds / duration)
    assert run.busy == pytest.approx(seconds)
    assert list(run.latencies) == pytest.approx([duration] * len(run.latencies), abs=1e-6)
    assert segment.over <= clock.now < segment.over + duration + 1e-9


def test_a_batch_that_is_held_past_the_end_is_not_counted_whole() -> None:
    clock = Clock()
    work = clock.worker(lambda call: 0.25 if call < 3 else 10.0)
    run = repeat(work, Segment(START, 0, 1.0), clock, clock.sleep)
    assert run.done == pytest.approx(3.025)
    # But its latency is: it is the one that suffered.
    assert max(run.latencies) == pytest.approx(10.0)


def test_a_recorder_that_is_full_goes_on_counting() -> None:
    recorder = Recorder(3)
    for number in range(5):
        recorder.record(number, number + 0.5)
    assert recorder.count == 5
    assert list(recorder.began) == [0.0, 1.0, 2.0]
    assert list(recorder.ended) == [0.5, 1.5, 2.5]


def test_a_recorder_gives_only_what_was_recorded() -> None:
    recorder = Recorder(3)
    recorder.record(7, 8)
    assert (list(recorder.began), list(recorder.ended)) == ([7.0], [8.0])
