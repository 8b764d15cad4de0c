"""The lines in which a command reports its answers."""

from __future__ import annotations

import pytest

from giveway.bench.done_lines import Done, measurements, parse


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("done 0.5", Done(0.5)),
        ("done 0.5 0.25", Done(0.5, 0.25)),
        ("done 2 ttft=0.5 tpot=0.02 tokens=32", Done(2, None, 0.5, 0.02, 32)),
        ("done 2 1 tokens=1 ttft=0.5", Done(2, 1, 0.5, None, 1)),
    ],
)
def test_a_line(line: str, means: Done) -> None:
    assert parse(line) == means


@pytest.mark.parametrize(
    "line",
    [
        "done", "done soon", "ready", "done 1 2 3", "done -1", "done nan", "done inf",
        "done ttft=1", "done 1 ttft=", "done 1 ttft", "done 1 ttfp=2", "done 1 ttft=1 ttft=2",
        "done 1 tokens=-1",
    ],
)  # fmt: skip
def test_a_wrong_line(line: str) -> None:
    assert parse(line) is None


def test_late_answers_count_with_all_their_times() -> None:
    counted = [Done(1.0, 0.5, 0.5, 0.01, 10), Done(1.0, 0.25, 0.5, None, 1)]
    found = measurements(counted, [Done(9.0, 0.5, 8.0, 0.02, 10)])
    assert found == {
        "latencies_us": [1e6, 1e6, 9e6],
        "busy_seconds": 0.75,
        "done": 2.0,
        "service_us": [0.5e6, 0.25e6, 0.5e6],
        "ttft_us": [0.5e6, 0.5e6, 8e6],
        "tpot_us": [1e4, None, 2e4],
        "tokens": [10, 1, 10],
        "tokens_done": 11,
    }


def test_a_time_that_some_answers_lack_is_unknown() -> None:
    found = measurements([Done(1.0, 0.5, 0.5), Done(1.0)], [])
    assert found == {"latencies_us": [1e6, 1e6], "busy_seconds": None, "done": 2.0}
    assert measurements([], [])["busy_seconds"] is None
