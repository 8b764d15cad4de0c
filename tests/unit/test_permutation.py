"""The permutation test errs as often as it says, and finds what is there."""

from __future__ import annotations

import numpy as np
import pytest

from giveway.results.permutation import LEVEL, Rounds, p_values, rounds_needed, smallest_p

DEALS = 499


def logarithms(
    draw: np.random.Generator, figures: int, rounds: int, spread: float = 0.12
) -> np.ndarray:
    """Figures of some rounds; what a round does to one, it does to the others in part."""
    common = draw.normal(0, spread, (1, rounds))
    return 0.7 * common + draw.normal(0, 0.7 * spread, (figures, rounds))


@pytest.mark.parametrize("rounds", [4, 5, 8])
def test_two_equal_runs_seem_to_differ_as_rarely_as_it_says(rounds: int) -> None:
    """Twelve programs: without correction, every second comparison would find something."""
    draw = np.random.default_rng(rounds)
    runs = 300
    found = 0
    for _ in range(runs):
        pair = Rounds(logarithms(draw, 12, rounds), logarithms(draw, 12, rounds))
        found += bool((p_values([pair], DEALS)[0] <= LEVEL).any())
    # 5 %, and three standard errors of this count.
    assert found / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_several_scenarios_together_err_no_more_often() -> None:
    draw = np.random.default_rng(1)
    runs = 300
    found = 0
    for _ in range(runs):
        pairs = [Rounds(logarithms(draw, 4, 5), logarithms(draw, 4, 5)) for _ in range(4)]
        found += any(bool((each <= LEVEL).any()) for each in p_values(pairs, DEALS))
    assert found / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def ratios_of_p99(draw: np.random.Generator, rounds: int, factor: float = 1.0) -> np.ndarray:
    """The p99 of 150 requests with a long tail, by that alone, in each round."""
    mode, alone = (
        np.percentile(draw.lognormal(0, 0.3, (rounds, 150)), 99, axis=1) for _ in range(2)
    )
    return np.log(factor * mode / alone)


def test_a_p99_that_is_twice_as_bad_is_found_with_enough_rounds() -> None:
    draw = np.random.default_rng(2)
    runs, found = 100, 0
    for _ in range(runs):
        old, new = logarithms(draw, 4, 5), logarithms(draw, 4, 5)
        old[0], new[0] = ratios_of_p99(draw, 5), ratios_of_p99(draw, 5, factor=2.0)
        found += p_values([Rounds(old, new)], DEALS)[0][0] <= LEVEL
    assert found / runs >= 0.9


def test_a_figure_that_moved_does_not_move_the_others() -> None:
    draw = np.random.default_rng(3)
    old, new = logarithms(draw, 3, 8), logarithms(draw, 3, 8)
    new[1] += 1.0
    found = p_values([Rounds(old, new)])[0]
    assert found[1] <= LEVEL
    assert found[0] > LEVEL
    assert found[2] > LEVEL


def test_three_rounds_can_show_nothing() -> None:
    assert smallest_p(3, 3) == pytest.approx(0.1)
    assert smallest_p(4, 4) == pytest.approx(2 / 70)
    assert smallest_p(5, 0) == 1
    assert rounds_needed() == 4
    three = Rounds(np.zeros((1, 3)), np.full((1, 3), 9.0))
    assert not three.enough()
    assert p_values([three])[0][0] > LEVEL


def test_no_figures_and_no_spread_are_no_problem() -> None:
    assert p_values([]) == []
    same = Rounds(np.ones((2, 4)), np.ones((2, 4)))
    assert (p_values([same])[0] == 1).all()


def test_probabilities_do_not_change_from_call_to_call() -> None:
    draw = np.random.default_rng(4)
    pair = Rounds(logarithms(draw, 3, 5), logarithms(draw, 3, 5))
    assert (p_values([pair])[0] == p_values([pair])[0]).all()
