"""Computes the figures of requests: service time, time to first token, time per output token,
tokens per second, and the share of requests inside their objective.

A record has one list for each kind of time, with one entry for each request, in the order of
``latencies_us``. A program that does not measure a kind has no list of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from giveway.results.rounds import Part, Round
from giveway.results.stats import estimate, percentile, share_interval
from giveway.scenarios.model import TIMES

POINTS: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0}
_OBJECTIVES: Final = {"ttft": "ttft_us", "tpot": "tpot_us", "e2e": "latencies_us"}
"""The list of a record that each objective limits."""


def figures(counted: Sequence[Round], slo: Mapping[str, float], alone: bool) -> dict[str, Any]:
    """The figures of the requests of one program in one mode; each is None if not measured.

    Args:
        counted: the rounds that count.
        slo: the objective, in milliseconds.
        alone: whether the mode is ``alone``, which has no ratios to itself.
    """
    parts = [each.part for each in counted]
    found: dict[str, Any] = {}
    for time in TIMES:
        found[f"{time}_requests"] = sum(len(values(part, f"{time}_us")) for part in parts)
        found |= percentiles(parts, time)
        for name, percent in POINTS.items():
            by_round = [] if alone else ratios(counted, f"{time}_us", percent)
            found[f"{time}_{name}_ratio"] = estimate(by_round)
    found["tokens_per_s"] = tokens_per_s(parts)
    found["slo_share"] = _slo_share(parts, slo)
    return found


def _slo_share(parts: Sequence[Part], slo: Mapping[str, float]) -> dict[str, Any] | None:
    """The share of requests inside the objective, with its interval.

    Rounds with equal shares say nothing about how much rounds differ. Mostly all their requests are
    inside, and the interval is that of so many requests which do not depend on each other.
    """
    counts = slo_counts(parts, slo)
    found = estimate([inside / whole for inside, whole in counts])
    if found is not None and found["interval"] is not None:
        low, high = found["interval"]
        if len(set(found["by_round"])) == 1:
            low, high = share_interval(*map(sum, zip(*counts, strict=True)))
        found["interval"] = [round(edge, 4) for edge in (low, min(high, 1.0))]  # no share is larger
    return found


def measured(found: Mapping[str, Any]) -> bool:
    """Whether a program answers with tokens, or has an objective."""
    return found.get("ttft_p50_ms") is not None or found.get("slo_share") is not None


def of_round(part: Part) -> dict[str, float | None]:
    """The figures of a single round, without those that are relative to alone."""
    found: dict[str, float | None] = {}
    for time in TIMES:
        found |= percentiles([part], time)
    return found | {"tokens_per_s": tokens_per_s([part])}


def percentiles(parts: Sequence[Part], time: str) -> dict[str, float | None]:
    """The percentiles of one kind of time in milliseconds, over the requests of all parts."""
    found = [value for part in parts for value in values(part, f"{time}_us")]
    return {
        f"{time}_{name}_ms": round(percentile(found, percent) / 1e3, 4) if found else None
        for name, percent in POINTS.items()
    }


def ratios(counted: Sequence[Round], key: str, percent: float) -> list[float]:
    """A percentile of each round by that of the program alone in the same round."""
    pairs = (
        (values(each.part, key), values(each.alone, key))
        for each in counted
        if each.alone is not None
    )
    return [
        percentile(beside, percent) / below
        for beside, alone in pairs
        if beside and alone and (below := percentile(alone, percent))
    ]


def tokens_per_s(parts: Sequence[Part]) -> float | None:
    """The output tokens of a second, the mean over rounds."""
    rates = [part["tokens_done"] / part["seconds"] for part in parts if "tokens_done" in part]
    return round(fmean(rates), 4) if rates else None


def slo_counts(parts: Iterable[Part], slo: Mapping[str, float]) -> list[tuple[int, int]]:
    """How many requests are inside the objective, and all, by round; rounds that lack a time have
    none."""
    found = []
    for part in parts:
        lists = [(part.get(_OBJECTIVES[name]), 1e3 * limit) for name, limit in slo.items()]
        whole = len(part["latencies_us"])
        if not lists or not whole or any(len(times or ()) != whole for times, _ in lists):
            continue
        requests = zip(*(times for times, _ in lists), strict=True)
        limits = [limit for _, limit in lists]
        # An answer of one token has no time per output token, which is within any limit.
        inside = [
            all(time is None or time <= most for time, most in zip(times, limits, strict=True))
            for times in requests
        ]
        found.append((sum(inside), len(inside)))
    return found


def values(part: Part, key: str) -> list[float]:
    """The times of a list of a record, without requests that have none."""
    return [value for value in part.get(key) or () if value is not None]
