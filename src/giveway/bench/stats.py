"""The few statistics that a result is made of.

A percentile here is the *nearest rank*: the smallest observed latency that at least that share of
the requests did not exceed. It is a latency that some request really had, and never a
better one than the interpolated definitions give between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 1000
_SEED: Final = 20
_CONFIDENCE: Final = 95.0

Floats = NDArray[np.float64]


def percentile(values: Sequence[float] | Floats, percent: float) -> float:
    """The nearest-rank percentile of ``values``, in their unit.

    Raises ValueError without values or for a percentage outside 0 to 100.
    """
    if not len(values):
        raise ValueError("no percentile of no values")
    return float(np.percentile(np.asarray(values), percent, method="inverted_cdf"))


def latency_summary(latencies_us: Sequence[float]) -> dict[str, Any]:
    """Number of requests, percentiles and maximum; microseconds in, milliseconds out."""
    values = np.asarray(latencies_us, dtype=np.float64) / 1e3
    points = {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0, "p999_ms": 99.9, "max_ms": 100.0}
    found = {
        name: round(percentile(values, point), 4) if len(values) else None
        for name, point in points.items()
    }
    return {"requests": len(values)} | found


def ratio_intervals(
    rounds: Sequence[Sequence[float]], base: Sequence[Sequence[float]], percents: Sequence[float]
) -> list[tuple[float, float]]:
    """The 95 % intervals of percentiles over the same ones of a base, by the bootstrap.

    Rounds are drawn with replacement, the same ones on both sides, as they were measured one after
    the other; within a round, blocks of neighbours are drawn (a circular block bootstrap, Politis
    and Romano 1992, with blocks of the cube root of the number), because one stall delays several
    requests and they are not independent.

    Args:
        rounds: latencies in order, by round; none empty.
        base: the same, of what is compared with.
        percents: 0 to 100.
    """
    return [_edges(row) for row in ratio_draws(rounds, base, percents)]


def ratio_draws(
    rounds: Sequence[Sequence[float]],
    base: Sequence[Sequence[float]],
    percents: Sequence[float],
    seed: int = _SEED,
) -> Floats:
    """For each percentile the ``RESAMPLES`` ratios that ``ratio_intervals`` is the middle of."""
    draw = np.random.default_rng(seed)
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(rounds, base, strict=False)]
    ratios = np.empty((len(percents), RESAMPLES))
    for at in range(RESAMPLES):
        chosen = [pairs[number] for number in draw.integers(len(pairs), size=len(pairs))]
        above = np.concatenate([_blocks(each, draw) for each, _ in chosen])
        below = np.concatenate([_blocks(each, draw) for _, each in chosen])
        for row, percent in zip(ratios, percents, strict=True):
            row[at] = _rank(above, percent) / _rank(below, percent)
    return ratios


def mean_ratio_interval(
    values: Sequence[float], base: Sequence[float]
) -> tuple[float, float] | None:
    """The 95 % interval of a ratio of means over rounds, by drawing rounds with replacement.

    With three rounds that is hardly more than the smallest and the largest; with one it is None.
    """
    if min(len(values), len(base)) < 2:
        return None
    return _edges(mean_ratio_draws(values, base))


def mean_ratio_draws(values: Sequence[float], base: Sequence[float], seed: int = _SEED) -> Floats:
    """The ``RESAMPLES`` ratios that ``mean_ratio_interval`` is the middle of."""
    draw = np.random.default_rng(seed)
    above, below = (np.asarray(each, dtype=np.float64) for each in (values, base))
    count = min(len(above), len(below))
    chosen = draw.integers(count, size=(RESAMPLES, count))
    ratios: Floats = above[chosen].mean(axis=1) / below[chosen].mean(axis=1)
    return ratios


def change_interval(new: Floats, old: Floats, among: int = 1) -> tuple[float, float]:
    """The interval of a figure of one run by that of another, from draws of each (of different
    seeds: the runs have nothing to do with each other). It is one of ``among`` such intervals that
    hold all together with 95 % (Bonferroni): of many figures one would else always have moved."""
    return _edges(new / old, 100 - (100 - _CONFIDENCE) / among)


def relative_spread(values: Sequence[float]) -> float:
    """How far the largest is above the smallest; 0.1 is 10 %. Infinite where that is zero."""
    low, high = min(values), max(values)
    if low == high:
        return 0.0
    return high / low - 1 if low > 0 else float("inf")


def _blocks(values: Floats, draw: np.random.Generator) -> Floats:
    """As many values, drawn in blocks of neighbours from the circle that they form."""
    count = len(values)
    length = max(1, round(count ** (1 / 3)))
    starts = draw.integers(count, size=-(-count // length))
    at = (starts[:, None] + np.arange(length)).ravel()[:count] % count
    drawn: Floats = values[at]
    return drawn


def _rank(values: Floats, percent: float) -> float:
    """The nearest-rank percentile, without sorting what is not asked for."""
    at = max(0, int(np.ceil(len(values) * percent / 100 - 1e-9)) - 1)
    return float(np.partition(values, at)[at])


def _edges(ratios: Floats, confidence: float = _CONFIDENCE) -> tuple[float, float]:
    tail = (100 - confidence) / 2
    low, high = np.percentile(ratios, [tail, 100 - tail])
    return float(low), float(high)
