"""The loads of `demo`: requests do not wait for each other, and batches are counted to the edge."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.bench.loops import Segment, repeat, serve
from giveway.bench.stats import percentile

START = 1000.0


class Clock:
    """Time that passes only when somebody sleeps or works."""

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
    served = serve(work, Segment(START, 0, 60 * period + 1e-9), period, clock, clock.sleep)
    late = 0.0
    for number, latency in enumerate(served.latencies):
        late = max(0.0, late - period + service) if number else 0.0
        expected = late + service + (stall if number == at else 0)
        assert latency == pytest.approx(expected, abs=1e-6)
        late = expected - service
    assert len(served.latencies) == 60
    assert served.busy == pytest.approx(60 * service + stall)


def test_a_real_stall_of_half_a_second_shows_in_p99() -> None:
    calls = iter(range(1000))

    def work() -> None:
        time.sleep(0.5 if next(calls) == 20 else 0.001)

    period = 0.01
    served = serve(work, Segment(time.monotonic(), 0, 1.5), period)
    assert percentile(served.latencies, 99) >= 0.48
    # A loop that asks only after the last answer would have seen a single slow request.
    assert sum(latency > 0.1 for latency in served.latencies) >= 40


def test_requests_of_the_head_are_served_and_not_counted() -> None:
    clock = Clock()
    moments: list[float] = []

    def work() -> None:
        moments.append(clock.now)
        clock.sleep(0.5 if clock.now < START + 1 else 0.1)

    served = serve(work, Segment(START, 1.0, 2.0), 0.5, clock, clock.sleep)
    assert moments == [START + 0.5 * number for number in range(6)]
    assert list(served.latencies) == pytest.approx([0.1] * 4)
    assert served.busy == pytest.approx(0.4)


def test_requests_due_before_the_end_are_answered_after_it() -> None:
    clock = Clock()
    served = serve(clock.worker(lambda _: 1.0), Segment(START, 0, 1.0), 0.25, clock, clock.sleep)
    assert list(served.latencies) == pytest.approx([1.0, 1.75, 2.5, 3.25])


@given(duration=st.floats(0.001, 3), warm=st.floats(0, 2), seconds=st.floats(0.5, 5))
def test_batches_are_counted_by_the_fraction_inside(
    duration: float, warm: float, seconds: float
) -> None:
    clock = Clock()
    segment = Segment(START, warm, seconds)
    done = repeat(clock.worker(lambda _: duration), segment, clock, clock.sleep)
    assert done == pytest.approx(seconds / duration)
    assert clock.now < segment.end + duration + 1e-9


def test_a_batch_that_is_held_past_the_end_is_not_counted_whole() -> None:
    clock = Clock()
    work = clock.worker(lambda call: 0.25 if call < 3 else 10.0)
    assert repeat(work, Segment(START, 0, 1.0), clock, clock.sleep) == pytest.approx(3.025)
