"""The statistics of a result: percentiles, and intervals by the bootstrap.

Percentiles are *nearest-rank*: the smallest observed latency that at least the given share of the
requests did not exceed. So a percentile is always the latency of an actual request, and it is never
smaller than an interpolated percentile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 1000
_SEED: Final = 20
_CONFIDENCE: Final = 95.0
_CELLS: Final = 1 << 21
"""Values drawn at a time; 16 MiB."""

Floats = NDArray[np.float64]


def percentile(values: Sequence[float] | Floats, percent: float) -> float:
    """The nearest-rank percentile of ``values``, in their unit.

    Raises:
        ValueError: ``values`` is empty, or ``percent`` is outside 0 to 100.
    """
    if not len(values):
        raise ValueError("a percentile needs at least one value")
    return float(np.percentile(np.asarray(values), percent, method="inverted_cdf"))


def latency_summary(latencies_us: Sequence[float]) -> dict[str, Any]:
    """The number of requests, percentiles and maximum; takes microseconds, returns milliseconds."""
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
    """The 95 % intervals of ratios of percentiles to those of a base, by the bootstrap.

    Rounds are drawn with replacement. Both sides use the same rounds, because these were measured
    one after the other. Within a round, blocks of neighbouring requests are drawn (circular block
    bootstrap, Politis and Romano 1992; the block length is the cube root of the number of
    requests): one stall delays several requests, so latencies are not independent.

    Args:
        rounds: latencies in order, by round; no round is empty.
        base: the latencies of the base, in the same form and unit.
        percents: 0 to 100.
    """
    return [_edges(row) for row in ratio_draws(rounds, base, percents)]


def ratio_draws(
    rounds: Sequence[Sequence[float]],
    base: Sequence[Sequence[float]],
    percents: Sequence[float],
    seed: int = _SEED,
) -> Floats:
    """The ``RESAMPLES`` ratios behind ``ratio_intervals``; shape (percentiles, resamples)."""
    draw = np.random.default_rng(seed)
    count = min(len(rounds), len(base))
    chosen = draw.integers(count, size=(RESAMPLES, count))
    above, below = (
        _percentiles([np.asarray(each) for each in side[:count]], chosen, percents, draw)
        for side in (rounds, base)
    )
    ratios: Floats = above / below
    return ratios


def mean_ratio_interval(
    values: Sequence[float], base: Sequence[float]
) -> tuple[float, float] | None:
    """The 95 % interval of a ratio of means over rounds, by the bootstrap over rounds.

    With three rounds, the interval is little more than the range. With one, the result is None.
    """
    if min(len(values), len(base)) < 2:
        return None
    return _edges(mean_ratio_draws(values, base))


def mean_ratio_draws(values: Sequence[float], base: Sequence[float], seed: int = _SEED) -> Floats:
    """The ``RESAMPLES`` ratios behind ``mean_ratio_interval``."""
    draw = np.random.default_rng(seed)
    above, below = (np.asarray(each, dtype=np.float64) for each in (values, base))
    count = min(len(above), len(below))
    chosen = draw.integers(count, size=(RESAMPLES, count))
    ratios: Floats = above[chosen].mean(axis=1) / below[chosen].mean(axis=1)
    return ratios


def change_interval(new: Floats, old: Floats, among: int = 1) -> tuple[float, float]:
    """The interval of the ratio of a figure between two runs, from bootstrap draws of both.

    Args:
        new: draws of the newer run; their seed differs, because the runs are independent.
        old: draws of the older run.
        among: the number of intervals that hold together with 95 % (Bonferroni). Without this
            correction, one of many figures would almost always seem to have moved.
    """
    return _edges(new / old, 100 - (100 - _CONFIDENCE) / among)


def relative_spread(values: Sequence[float]) -> float:
    """The largest value over the smallest, minus 1. Infinite if only the smallest is zero."""
    low, high = min(values), max(values)
    if low == high:
        return 0.0
    return high / low - 1 if low > 0 else float("inf")


def _percentiles(
    rounds: Sequence[Floats],
    chosen: NDArray[np.int64],
    percents: Sequence[float],
    draw: np.random.Generator,
) -> Floats:
    """Nearest-rank percentiles, shape (percentiles, resamples).

    Args:
        chosen: the indexes of the rounds in each resample.
    """
    lengths = np.array([len(each) for each in rounds])
    total = lengths[chosen].sum(axis=1)
    ranks = np.array([np.ceil(total * percent / 100 - 1e-9) - 1 for percent in percents])
    ranks = np.maximum(ranks, 0).astype(np.int64)
    found = np.empty(ranks.shape)
    step = max(1, _CELLS // (int(lengths.max()) * chosen.shape[1]))
    for start in range(0, len(chosen), step):
        part, here = chosen[start : start + step], ranks[:, start : start + step]
        # Rounds differ in length: infinity fills the rest of a row, above all real values.
        table = np.full((*part.shape, lengths.max()), np.inf)
        for number, values in enumerate(rounds):
            at = part == number
            table[at, : len(values)] = _blocks(values, int(at.sum()), draw)
        flat = table.reshape(len(part), -1)
        flat.partition(np.unique(here), axis=1)
        found[:, start : start + step] = flat[np.arange(len(part)), here]
    return found


def _blocks(values: Floats, rows: int, draw: np.random.Generator) -> Floats:
    """``rows`` resamples of a round, drawn in blocks of neighbours from the values as a circle."""
    count = len(values)
    length = max(1, round(count ** (1 / 3)))
    starts = draw.integers(count, size=(rows, -(-count // length)))
    at = (starts[..., None] + np.arange(length)).reshape(rows, -1)[:, :count] % count
    drawn: Floats = values[at]
    return drawn


def _edges(ratios: Floats, confidence: float = _CONFIDENCE) -> tuple[float, float]:
    tail = (100 - confidence) / 2
    low, high = np.percentile(ratios, [tail, 100 - tail])
    return float(low), float(high)
