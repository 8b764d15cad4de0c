"""The statistics of a result: percentiles, estimates over rounds, and the noise of a percentile.

Percentiles are *nearest-rank*: the smallest observed latency that at least the given share of the
requests did not exceed. So a percentile is always the latency of an actual request, and it is never
smaller than an interpolated percentile.

A round is the unit of every interval. Requests of one round share the state of the machine, so
that thousands of them say little about the next round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 400
_SEED: Final = 20
_CONFIDENCE: Final = 0.95
_NORMAL: Final = 1.96
"""What a normal variable exceeds, in either direction, with a probability of 5 %."""
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


def estimate(by_round: Sequence[float]) -> dict[str, Any] | None:
    """The median of a figure over rounds, its interval, and the values; None without a round."""
    if not by_round:
        return None
    value = float(np.median(by_round))
    edges = interval(by_round)
    if edges is not None:
        # The interval is around the geometric mean. Few skewed rounds may put the median outside.
        edges = (min(edges[0], value), max(edges[1], value))
    return {
        "value": round(value, 4),
        "interval": None if edges is None else [round(edge, 4) for edge in edges],
        "by_round": [round(each, 4) for each in by_round],
    }


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the geometric mean over rounds, by Student's t of the logarithms.

    If a value is zero, the interval is that of the mean, without logarithms. One round has no
    interval.
    """
    if len(values) < 2:
        return None
    given = np.asarray(values, dtype=np.float64)
    logarithmic = bool((given > 0).all())
    used = np.log(given) if logarithmic else given
    half = t_quantile(len(used) - 1) * float(used.std(ddof=1)) / math.sqrt(len(used))
    low, high = float(used.mean()) - half, float(used.mean()) + half
    if logarithmic:
        # A spread that no float can express is an interval that excludes nothing.
        return math.exp(max(low, -700.0)), math.exp(min(high, 700.0))
    return max(0.0, low), high


def share_interval(inside: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share by how many of ``count`` were inside (Wilson 1927)."""
    square = _NORMAL**2 / count
    share = inside / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean of values above zero."""
    return float(np.exp(np.log(np.asarray(values, dtype=np.float64)).mean()))


def difference_interval(new: Sequence[float], old: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the ratio between the geometric means of two runs, by Welch's t.

    The degrees of freedom are those of the run with fewer rounds, which is on the safe side.
    """
    logs = [np.log(np.asarray(each, dtype=np.float64)) for each in (new, old)]
    error = math.sqrt(sum(float(each.var(ddof=1)) / len(each) for each in logs))
    half = t_quantile(min(map(len, logs)) - 1) * error
    between = float(logs[0].mean() - logs[1].mean())
    return math.exp(max(between - half, -700.0)), math.exp(min(between + half, 700.0))


def t_quantile(freedom: int) -> float:
    """The value that Student's t with ``freedom`` degrees of freedom exceeds, in either direction,
    with a probability of 5 %."""
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_within(middle, freedom) < _CONFIDENCE else (low, middle)
    return low


def _t_within(t: float, freedom: int) -> float:
    """The probability that Student's t is between -t and t: Abramowitz and Stegun, 26.7.3, 26.7.4.

    The formulas are finite sums of powers of the cosine of an angle.
    """
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0 if freedom == 1 else term
    for number in range(2 + odd, freedom - 1, 2):
        term *= math.cos(angle) ** 2 * (number - 1) / number
        total += term
    total *= math.sin(angle)
    return (angle + total) * 2 / math.pi if odd else total


def spread(values: Sequence[float]) -> float:
    """The relative standard deviation of values, by their logarithms; infinite if one is zero."""
    if min(values) <= 0:
        return 0.0 if max(values) <= 0 else math.inf
    return float(np.std(np.log(values), ddof=1))


def percentile_noise(latencies: Sequence[float], percent: float) -> float:
    """The relative standard error of a percentile, by the bootstrap of pooled requests.

    Blocks of neighbouring requests are drawn (circular block bootstrap, Politis and Romano 1992;
    the block length is the cube root of the number of requests): one stall delays several requests,
    so that latencies are not independent. The draws are always the same ones.
    """
    values = np.asarray(latencies, dtype=np.float64)
    draw = np.random.default_rng(_SEED)
    rank = max(0, math.ceil(len(values) * percent / 100 - 1e-9) - 1)
    step = max(1, _CELLS // len(values))
    found = []
    for start in range(0, RESAMPLES, step):
        drawn = _blocks(values, min(step, RESAMPLES - start), draw)
        drawn.partition(rank, axis=1)
        found.append(drawn[:, rank])
    return spread(np.concatenate(found).tolist())


def _blocks(values: Floats, rows: int, draw: np.random.Generator) -> Floats:
    """``rows`` resamples of values, drawn in blocks of neighbours from the values as a circle."""
    count = len(values)
    length = max(1, round(count ** (1 / 3)))
    starts = draw.integers(count, size=(rows, -(-count // length)))
    at = (starts[..., None] + np.arange(length)).reshape(rows, -1)[:, :count] % count
    drawn: Floats = values[at]
    return drawn
