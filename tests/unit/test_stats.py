"""The statistics of `demo`, against distributions whose percentiles are known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.bench.stats import latency_summary, percentile, relative_spread, spread

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
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@given(VALUES)
def test_latency_summary_is_ordered_and_in_milliseconds(values: list[float]) -> None:
    summary = latency_summary(values)
    assert summary["n"] == len(values)
    assert summary["max_ms"] == pytest.approx(max(values) * 1e3, abs=1e-3)
    assert summary["p50_ms"] <= summary["p90_ms"] <= summary["p99_ms"] <= summary["max_ms"]
    assert summary["p50_ms"] >= round(min(values) * 1e3, 3)


def test_spread() -> None:
    assert spread([2.0, 1.0, 1.5]) == (1.0, 2.0)
    assert relative_spread([2.0, 2.2]) == pytest.approx(0.1)
    assert relative_spread([3.0]) == 0
