"""The few statistics that a result is made of.

A percentile here is the *nearest rank*: the smallest observed latency that at least that share of
the requests did not exceed. It is a latency that some request really had, and never a
better one than the interpolated definitions give between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of ``values``, in their unit.

    Raises ValueError without values or for a percentage outside 0 to 100.
    """
    if not len(values):
        raise ValueError("no percentile of no values")
    return float(np.percentile(np.asarray(values), percent, method="inverted_cdf"))


def latency_summary(latencies: Sequence[float]) -> dict[str, float]:
    """Number of requests, percentiles and maximum; seconds in, milliseconds out."""
    milliseconds = np.asarray(latencies) * 1e3
    return {
        "n": len(latencies),
        "p50_ms": round(percentile(milliseconds.tolist(), 50), 3),
        "p90_ms": round(percentile(milliseconds.tolist(), 90), 3),
        "p99_ms": round(percentile(milliseconds.tolist(), 99), 3),
        "max_ms": round(float(milliseconds.max()), 3),
    }


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Smallest and largest of the rounds: with three of them, that says all there is to say."""
    return min(values), max(values)


def relative_spread(values: Sequence[float]) -> float:
    """How far the largest round is above the smallest; 0.1 is 10 %."""
    low, high = spread(values)
    return high / low - 1
