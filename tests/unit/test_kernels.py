"""Times at which a GPU worked for a program, from a trace of torch's profiler."""

from __future__ import annotations

from typing import Any

import pytest

from giveway.bench.kernels import busy, fewer, periods
from giveway.results.preemption import latency


def kernel(began_us: float, took_us: float, category: str = "kernel") -> dict[str, Any]:
    return {"ph": "X", "cat": category, "name": "k", "ts": began_us, "dur": took_us}


def test_kernels_that_are_near_are_one_period() -> None:
    events = [
        kernel(1_000_000, 300), kernel(1_000_310, 200),  # one after the other
        kernel(1_000_400, 50),  # on another stream
        kernel(1_002_000, 100),
    ]  # fmt: skip
    trace = {"baseTimeNanoseconds": 5_000_000_000, "traceEvents": events}
    assert periods(trace, 5.5) == [[0.5, 0.50051], [0.502, 0.5021]]


def test_they_need_not_be_in_order_and_other_events_are_none() -> None:
    events = [
        kernel(2_000_000, 100), kernel(1_000_000, 100), kernel(1_500_000, 100, "cuda_runtime"),
        {"ph": "M", "name": "process_name"},
    ]  # fmt: skip
    assert periods({"traceEvents": events}, 0.0) == [[1.0, 1.0001], [2.0, 2.0001]]


def test_with_too_many_periods_the_longest_gaps_remain() -> None:
    found = [[0.0, 1.0], [1.5, 2.0], [2.1, 3.0], [4.0, 5.0], [5.2, 6.0]]
    assert fewer(found, 5) == found
    assert fewer(found, 3) == [[0.0, 1.0], [1.5, 3.0], [4.0, 6.0]]
    assert fewer(found, 1) == [[0.0, 6.0]]
    assert fewer([], 1) == []


@pytest.mark.parametrize("held", [1.99, 2.0, 2.05, 2.4, 4.9, 9.0])
def test_fewer_periods_leave_preemption_latencies_as_they_are(held: float) -> None:
    """A gap of 0.01 s tells the work in flight from that after the gate."""
    found = [[each / 2, each / 2 + 0.49] for each in range(10)]

    def latency_of(work: list[list[float]]) -> Any:
        timeline = {"closings": {"low": [[1.9, held, None]]}, "device": {"low": work}}
        return latency([timeline], "low")

    few = fewer(found, 1, apart=[held])
    assert len(few) <= 2
    assert latency_of(few) == latency_of(found)


def test_a_trace_without_kernels() -> None:
    assert periods({"baseTimeNanoseconds": 1, "traceEvents": []}, 3.0) == []


def test_the_device_works_at_each_moment_once() -> None:
    """Two streams at a time are one device at work; gaps between kernels are none."""
    events = [
        {"cat": "kernel", "ts": 10.0, "dur": 20.0},
        {"cat": "kernel", "ts": 15.0, "dur": 5.0},
        {"cat": "gpu_memcpy", "ts": 25.0, "dur": 15.0},
        {"cat": "kernel", "ts": 45.0, "dur": 5.0},
        {"cat": "cpu_op", "ts": 0.0, "dur": 500.0},
    ]
    assert busy({"traceEvents": events}) == pytest.approx(35e-6)
    assert busy({"traceEvents": []}) == 0
