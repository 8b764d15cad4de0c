"""When requests are due: before anybody has answered one."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from giveway.bench.arrivals import due_times, trace_rate

PROCESSES = st.sampled_from(["fixed", "poisson", "trace"])
TRACE = (0.0, 0.1, 0.15, 2.0)


@given(PROCESSES, st.floats(0.5, 200), st.floats(0.5, 20), st.integers(0, 9))
def test_requests_are_due_in_order_and_inside(
    process: str, rate: float, seconds: float, seed: int
) -> None:
    moments = list(due_times(process, rate, 50.0, seconds, seed, TRACE))
    assert moments == sorted(moments)
    assert all(50.0 <= moment <= 50.0 + seconds for moment in moments)
    assert moments == list(due_times(process, rate, 50.0, seconds, seed, TRACE))


def test_fixed_has_one_in_every_period() -> None:
    assert list(due_times("fixed", 4, 10, 1, 0)) == [10.125, 10.375, 10.625, 10.875]
    # 0.3 / 0.1 is not quite 3.
    assert len(due_times("fixed", 10, 0, 0.3, 0)) == 3
    # One every three seconds is in any two of them.
    assert list(due_times("fixed", 1 / 3, 0, 2, 0)) == pytest.approx([1.5])
    assert list(due_times("fixed", 1 / 3, 0, 1, 0)) == []


def test_poisson_has_independent_exponential_gaps() -> None:
    moments = due_times("poisson", 50, 0, 2000, seed=1)
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert len(moments) == pytest.approx(100_000, rel=0.02)
    assert statistics.fmean(gaps) == pytest.approx(0.02, rel=0.02)
    assert statistics.stdev(gaps) == pytest.approx(0.02, rel=0.02)
    # A share of exp(-1) is longer than the mean, and a long one says nothing of the next.
    assert sum(gap > 0.02 for gap in gaps) / len(gaps) == pytest.approx(0.3679, abs=0.01)
    assert abs(statistics.correlation(gaps[:-1], gaps[1:])) < 0.02


def test_poisson_differs_by_seed() -> None:
    assert due_times("poisson", 50, 0, 1, seed=1) != due_times("poisson", 50, 0, 1, seed=2)


def test_a_trace_keeps_its_shape_at_another_rate() -> None:
    assert trace_rate(TRACE) == pytest.approx(1.5)
    moments = list(due_times("trace", 3.0, 0, 2.2, 0, TRACE))
    once = [0.0, 0.05, 0.075, 1.0]
    again = [once[-1] + 1 / 3 + moment for moment in once]
    assert moments == pytest.approx([*once, *again[:3]])


@given(PROCESSES, st.floats(0.5, 50), st.floats(1, 20), st.integers(0, 9))
@example("fixed", 1.0, 1.0000000000000002, 0)
def test_two_halves_have_the_requests_of_the_whole(
    process: str, rate: float, seconds: float, seed: int
) -> None:
    """Alone before and after the other modes, a program has the same arrivals as in these."""
    whole = list(due_times(process, rate, 0.0, seconds, seed, TRACE))
    half = seconds / 2
    first = list(due_times(process, rate, 0.0, half, seed, TRACE))
    second = list(due_times(process, rate, half, half, seed, TRACE, skip=half))
    assert [*first, *second] == pytest.approx(whole)


def test_no_other_process() -> None:
    with pytest.raises(ValueError, match="saturating"):
        due_times("saturating", 1, 0, 1, 0)
