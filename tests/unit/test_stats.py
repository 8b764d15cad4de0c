"""The statistics of the bench, against distributions whose values are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.results.stats import (
    difference_interval,
    estimate,
    interval,
    latency_summary,
    percentile,
    percentile_noise,
    share_interval,
    spread,
    t_quantile,
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


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    # Any table of Student's t has these.
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (10, 2.228), (30, 2.042)],
)
def test_the_quantiles_of_students_t(freedom: int, quantile: float) -> None:
    assert t_quantile(freedom) == pytest.approx(quantile, abs=5e-4)


def test_the_quantile_of_many_rounds_is_that_of_the_normal_distribution() -> None:
    assert t_quantile(10_000) == pytest.approx(1.96, abs=1e-3)


def rounds_with_effects(
    draw: np.random.Generator, rounds: int, effect: float = 0.12, requests: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Latencies of two modes that differ by a factor of 2, by round.

    What a machine does in one segment moves all its requests.
    """
    above, below = (
        mean * np.exp(draw.normal(0, effect, (rounds, 1))) * draw.exponential(1, (rounds, requests))
        for mean in (2.0, 1.0)
    )
    return above, below


@pytest.mark.parametrize("rounds", [3, 5, 12])
@pytest.mark.parametrize("percent", [50, 99])
def test_the_interval_covers_the_truth_as_often_as_it_says(rounds: int, percent: float) -> None:
    draw = np.random.default_rng(rounds)
    held, runs = 0, 600
    for _ in range(runs):
        above, below = rounds_with_effects(draw, rounds)
        ratios = np.percentile(above, percent, axis=1) / np.percentile(below, percent, axis=1)
        edges = interval(ratios.tolist())
        assert edges is not None
        held += edges[0] <= 2.0 <= edges[1]
    # 95 %, less or more three standard errors of this count.
    assert 0.92 <= held / runs <= 0.98


def test_the_interval_of_throughput_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(7)
    runs = 1000
    ratios = np.exp(draw.normal(np.log(0.6), 0.15, (runs, 3)))
    edges = [interval(each.tolist()) for each in ratios]
    held = sum(each is not None and each[0] <= 0.6 <= each[1] for each in edges)
    assert 0.93 <= held / runs <= 0.97


def test_one_round_has_no_interval() -> None:
    assert interval([2.0]) is None
    assert estimate([2.0]) == {"value": 2.0, "interval": None, "by_round": [2.0]}
    assert estimate([]) is None


def test_rounds_that_agree_have_no_width() -> None:
    assert interval([2.0, 2.0, 2.0]) == pytest.approx((2.0, 2.0))


def test_more_rounds_are_narrower() -> None:
    few, many = interval([1.0, 1.2]), interval([1.0, 1.2] * 6)
    assert few is not None
    assert many is not None
    assert np.log(many[1] / many[0]) < np.log(few[1] / few[0]) / 10


def test_a_program_that_was_held_in_a_whole_round_has_an_interval_too() -> None:
    edges = interval([0.0, 0.1, 0.2])
    assert edges is not None
    assert edges[0] == 0.0
    assert edges[1] == pytest.approx(0.1 + 4.303 * 0.1 / math.sqrt(3), abs=1e-3)


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=12))
def test_the_value_is_in_its_interval(values: list[float]) -> None:
    found = estimate(values)
    assert found is not None
    low, high = found["interval"]
    assert low <= found["value"] <= high


def test_the_noise_of_a_percentile_is_its_standard_error() -> None:
    """Of the median of n values with density f there: 1 / (2 f sqrt(n))."""
    values = np.random.default_rng(3).exponential(1.0, 4000)
    expected = 1 / (2 * 0.5 * math.sqrt(4000)) / math.log(2)
    assert percentile_noise(values.tolist(), 50) == pytest.approx(expected, rel=0.3)
    assert percentile_noise(values.tolist(), 99) > 1.5 * expected
    assert percentile_noise([5.0] * 100, 99) == pytest.approx(0)
    assert percentile_noise(values.tolist(), 99) == percentile_noise(values.tolist(), 99)


def test_neighbours_that_were_late_together_are_drawn_together() -> None:
    """One stall of ten requests is less sure than ten separate ones."""
    stalled = [1.0] * 145 + [5.0] * 10 + [1.0] * 145
    scattered = ([1.0] * 29 + [5.0]) * 10
    assert percentile_noise(stalled, 97) > percentile_noise(scattered, 97)


def test_spread() -> None:
    assert spread([1.0, math.e]) == pytest.approx(math.sqrt(0.5))
    assert spread([3.0, 3.0]) == 0
    assert spread([0.0, 1.0]) == math.inf
    assert spread([0.0, 0.0]) == 0


def test_the_interval_of_a_change_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(9)
    held, runs = 0, 500
    for _ in range(runs):
        old, new = (np.exp(draw.normal(mean, 0.15, 5)) for mean in (0.0, np.log(1.3)))
        low, high = difference_interval(new.tolist(), old.tolist())
        held += low <= 1.3 <= high
    # The degrees of freedom are on the safe side.
    assert 0.94 <= held / runs <= 1


@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
def test_the_interval_of_a_share_covers_it(share: float) -> None:
    draw = np.random.default_rng(7)
    inside = draw.binomial(100, share, 2000)
    edges = [share_interval(int(each), 100) for each in inside]
    assert np.mean([low <= share <= high for low, high in edges]) > 0.93
    assert share_interval(10, 10)[1] == share_interval(0, 10)[0] + 1 == 1
