"""The statistics of the bench, against distributions whose values are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.results.stats import (
    latency_summary,
    mean_ratio_interval,
    percentile,
    ratio_draws,
    ratio_intervals,
    relative_spread,
)

VALUES = st.lists(st.floats(min_value=1e-6, max_value=1e3), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        (range(1, 101), 50, 50),
        (range(1, 101), 90, 90),
        (range(1, 101), 99, 99),
        (range(1, 101), 100, 100),
        (range(1, 1001), 99, 990),
        # Fewer than a hundred: p99 is the worst one, not something a little better.
        (range(1, 11), 99, 10),
        (range(1, 11), 50, 5),
        ([7], 50, 7),
    ],
)
def test_percentile_is_the_nearest_rank(values: range, percent: float, expected: float) -> None:
    assert percentile(list(reversed(values)), percent) == expected


def test_percentile_of_an_exponential_distribution() -> None:
    count = 100_000
    values = [-math.log1p(-(rank + 0.5) / count) for rank in range(count)]
    for percent in (50, 90, 99):
        assert percentile(values, percent) == pytest.approx(-math.log1p(-percent / 100), rel=1e-3)


@given(VALUES, st.integers(min_value=1, max_value=100))
def test_percentile_is_the_smallest_observed_that_enough_do_not_exceed(
    values: list[float], percent: int
) -> None:
    found = percentile(values, percent)
    assert found in values
    needed = percent * len(values)
    assert 100 * sum(value <= found for value in values) >= needed
    assert 100 * sum(value < found for value in values) < needed


def test_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        percentile([], 50)


@given(VALUES)
def test_latency_summary_is_ordered_and_in_milliseconds(values: list[float]) -> None:
    summary = latency_summary([value * 1e6 for value in values])
    assert summary["requests"] == len(values)
    assert summary["max_ms"] == pytest.approx(max(values) * 1e3, abs=1e-3)
    points = [summary[f"{name}_ms"] for name in ("p50", "p90", "p99", "p999", "max")]
    assert points == sorted(points)


def test_latency_summary_of_nothing_invents_nothing() -> None:
    assert latency_summary([]) == dict.fromkeys(
        ("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms")
    ) | {"requests": 0}


def ratio_interval(
    rounds: list[list[float]], base: list[list[float]], percent: float
) -> tuple[float, float]:
    (interval,) = ratio_intervals(rounds, base, [percent])
    return interval


def exponentials(seed: int, mean: float, rounds: int = 3, count: int = 400) -> list[list[float]]:
    return np.random.default_rng(seed).exponential(mean, (rounds, count)).tolist()


def test_the_interval_of_a_ratio_holds_the_true_one_as_often_as_it_says() -> None:
    percents = (50, 90, 99)
    held = dict.fromkeys(percents, 0)
    for seed in range(40):
        above, below = exponentials(seed, 2.0, count=200), exponentials(1000 + seed, 1.0, count=200)
        intervals = ratio_intervals(above, below, percents)
        for percent, (low, high) in zip(percents, intervals, strict=True):
            assert low <= high
            held[percent] += low <= 2.0 <= high
    # 95 % of 40 is 38; with so few rounds a bootstrap is a little too sure of itself.
    assert min(held.values()) >= 32, held


def test_the_interval_is_narrower_with_more_requests() -> None:
    few = ratio_interval(exponentials(1, 1.0, count=50), exponentials(2, 1.0, count=50), 50)
    many = ratio_interval(exponentials(1, 1.0, count=2000), exponentials(2, 1.0, count=2000), 50)
    assert many[1] - many[0] < (few[1] - few[0]) / 3


def test_one_bad_round_widens_the_interval() -> None:
    base = [[1.0] * 100 for _ in range(3)]
    steady = ratio_interval([[2.0] * 100 for _ in range(3)], base, 50)
    assert steady == (2.0, 2.0)
    low, high = ratio_interval([[2.0] * 100, [2.0] * 100, [9.0] * 100], base, 50)
    assert (low, high) == (2.0, 9.0)


def test_neighbours_that_were_late_together_are_drawn_together() -> None:
    """One stall of ten requests is less sure than ten separate ones."""
    stalled = [[1.0] * 45 + [5.0] * 10 + [1.0] * 45] * 3
    scattered = [([1.0] * 9 + [5.0]) * 10] * 3
    base = [[1.0] * 100] * 3
    together = ratio_interval(stalled, base, 85)
    apart = ratio_interval(scattered, base, 85)
    assert together[1] - together[0] > apart[1] - apart[0]


def test_the_interval_of_a_ratio_of_means() -> None:
    assert mean_ratio_interval([2.0, 2.0, 2.0], [4.0, 4.0, 4.0]) == (0.5, 0.5)
    low, high = mean_ratio_interval([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    assert (low, high) == pytest.approx((0.5, 1.5), abs=0.2)
    # Paired by round: a machine that was slow in one was so for both.
    assert mean_ratio_interval([1.0, 3.0, 9.0], [2.0, 6.0, 18.0]) == (0.5, 0.5)


def test_rounds_may_differ_in_length() -> None:
    draws = ratio_draws([[2.0], [2.0, 4.0, 6.0]], [[1.0] * 5, [2.0]], (0, 100))
    assert set(draws.ravel()) <= {1.0, 2.0, 3.0, 4.0, 6.0}


def test_intervals_do_not_change_from_call_to_call() -> None:
    values, base = exponentials(1, 2.0), exponentials(2, 1.0)
    assert ratio_interval(values, base, 99) == ratio_interval(values, base, 99)


def test_relative_spread() -> None:
    assert relative_spread([2.0, 2.2]) == pytest.approx(0.1)
    assert relative_spread([3.0]) == 0
    assert relative_spread([0.0, 1.0]) == math.inf
