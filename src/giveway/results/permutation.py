"""Tests whether figures differ between two runs: a permutation test over rounds.

If nothing differs, it is chance which rounds belong to which run. So the rounds of both runs are
dealt out anew, many times, and the observed difference is compared with the differences of these
deals. Nothing is assumed about the distribution of rounds.

All figures are tested together. A figure counts as different only if its difference is rare among
the *largest* differences of the deals (Westfall and Young 1993). So the probability that any figure
seems to differ is 5 % however many are compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from giveway.results.stats import Floats

LEVEL: Final = 0.05
DEALS: Final = 4999
_SEED: Final = 20
_TINY: Final = 1e-12


@dataclass(frozen=True)
class Rounds:
    """Figures that were measured in the same rounds, such as those of one scenario."""

    old: Floats
    """Logarithms; shape (figures, rounds)."""
    new: Floats

    def enough(self) -> bool:
        """Whether any difference, however large, could be shown."""
        return smallest_p(self.old.shape[1], self.new.shape[1]) <= LEVEL


def smallest_p(old: int, new: int) -> float:
    """The smallest probability that the test can report with so many rounds in the two runs."""
    if min(old, new) < 1:
        return 1.0
    return min(1.0, 2 / math.comb(old + new, new))


def rounds_needed() -> int:
    """The number of rounds that both runs need at least."""
    count = 1
    while smallest_p(count, count) > LEVEL:
        count += 1
    return count


def p_values(groups: Sequence[Rounds], deals: int = DEALS) -> list[Floats]:
    """The probability, for each figure of each group, that chance makes such a difference in any.

    Args:
        groups: scenarios, whose rounds are independent of each other.
        deals: random deals, besides the observed one; always the same ones.
    """
    draw = np.random.default_rng(_SEED)
    observed = [_statistics(each, _labels(each, 0, draw))[:, 0] for each in groups]
    largest = np.zeros(deals)
    for each in groups:
        found = _statistics(each, _labels(each, deals, draw)[1:])
        largest = np.maximum(largest, found.max(axis=0))
    return [
        (1 + (largest[None, :] >= each[:, None] - _TINY).sum(axis=1)) / (deals + 1)
        for each in observed
    ]


def _labels(rounds: Rounds, deals: int, draw: np.random.Generator) -> NDArray[np.bool_]:
    """Which rounds are new, in the observed deal and in random ones; shape (1 + deals, rounds)."""
    new = np.zeros(rounds.old.shape[1] + rounds.new.shape[1], dtype=np.bool_)
    new[rounds.old.shape[1] :] = True
    return np.vstack([new[None, :], draw.permuted(np.tile(new, (deals, 1)), axis=1)])


def _statistics(rounds: Rounds, labels: NDArray[np.bool_]) -> Floats:
    """The absolute value of Student's t of each figure in each deal; shape (figures, deals)."""
    values = np.hstack([rounds.old, rounds.new])
    values = values - values.mean(axis=1, keepdims=True)
    of_new, count = values @ labels.T, labels.shape[1]
    new = labels.sum(axis=1)
    between = of_new**2 * (1 / new + 1 / (count - new))
    total = (values**2).sum(axis=1, keepdims=True)
    share = np.where(total > _TINY, between / np.maximum(total, _TINY), 0.0).clip(0, 1)
    statistics: Floats = np.sqrt((count - 2) * share / (1 - share + _TINY))
    return statistics
