"""From the raw rounds of ``dual`` to the figures and the sentence that a reader gets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from giveway.bench.dual import Mode, Round, Sizes
from giveway.bench.machine import machine, versions
from giveway.bench.stats import latency_summary, percentile, relative_spread, spread

SCHEMA = 1
MODES = ("alone", "native", "giveway")
_SHARED = ("native", "giveway")
_NOISY = 0.10

Result = dict[str, Any]
"""What ``giveway demo --json`` writes."""


def make_result(device: str, sizes: Sizes, rounds: Sequence[Round]) -> Result:
    """All figures of a run, as JSON values.

    Percentiles are of the requests of all rounds together; ``spread`` has, per figure, the smallest
    and the largest ratio to alone of a single round (for alone: to all rounds of alone).
    """
    modes = {name: _mode([getattr(each, name) for each in rounds]) for name in MODES}
    alone = modes["alone"]
    left = 1 - fmean(each.alone.high.busy_share for each in rounds)
    return {
        "schema": SCHEMA,
        "device": device,
        "machine": machine(),
        "versions": versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "sizes": sizes.to_json() | {"high_busy_share": _rounded(1 - left)},
        "modes": modes,
        "ratios": {
            name: {
                "p50": _rounded(modes[name]["high"]["p50_ms"] / alone["high"]["p50_ms"]),
                "p99": _rounded(modes[name]["high"]["p99_ms"] / alone["high"]["p99_ms"]),
            }
            for name in _SHARED
        },
        "low_share_of_left": {
            name: _rounded(modes[name]["low"]["throughput"] / (alone["low"]["throughput"] * left))
            for name in _SHARED
        },
        "spread": _spread(rounds),
        "rounds": [{name: _round(getattr(each, name)) for name in MODES} for each in rounds],
    }


def _mode(parts: Sequence[Mode]) -> dict[str, Any]:
    return {
        "high": latency_summary([latency for part in parts for latency in part.high.latencies]),
        "low": {"throughput": _rounded(fmean(part.low_throughput for part in parts))},
    }


def _round(part: Mode) -> dict[str, Any]:
    figures = _mode([part])
    figures["high"]["busy_share"] = _rounded(part.high.busy_share)
    return figures


def _figures(mode: Mode) -> dict[str, float]:
    return {
        "p50": percentile(mode.high.latencies, 50),
        "p99": percentile(mode.high.latencies, 99),
        "throughput": mode.low_throughput,
    }


def _spread(rounds: Sequence[Round]) -> dict[str, dict[str, list[float]]]:
    alone = [_figures(each.alone) for each in rounds]
    usual = {figure: fmean(each[figure] for each in alone) for figure in alone[0]}
    result = {}
    for name in MODES:
        these = [_figures(getattr(each, name)) for each in rounds]
        base = [usual] * len(rounds) if name == "alone" else alone
        result[name] = {
            figure: [
                _rounded(edge)
                for edge in spread(
                    [a[figure] / b[figure] for a, b in zip(these, base, strict=True)]
                )
            ]
            for figure in usual
        }
    return result


def _rounded(value: float) -> float:
    return round(value, 4)


def verdict(result: Result) -> str:
    """What was gained, in one sentence; a gain is one that every single round shows."""
    without, with_it = (result["ratios"][name]["p99"] for name in _SHARED)
    best_without, worst_without = result["spread"]["native"]["p99"]
    best_with, worst_with = result["spread"]["giveway"]["p99"]
    share_without, share_with = (result["low_share_of_left"][name] for name in _SHARED)
    if worst_with < best_without:
        opening = "giveway helped"
    elif best_with > worst_without:
        opening = "giveway made it worse"
    else:
        opening = "No clear gain, as the rounds overlap"
    return (
        f"{opening}: beside the other program, the urgent one's p99 was {times(with_it)} its time "
        f"alone with giveway, {times(without)} without; the other got {share_with:.0%} of what the "
        f"urgent one leaves with giveway, {share_without:.0%} without."
    )


def warnings(result: Result) -> list[str]:
    """What a reader has to know before believing the figures; one sentence each."""
    found = []
    differs = {
        "the urgent program's p50": relative_spread(result["spread"]["alone"]["p50"]),
        "the urgent program's p99": relative_spread(result["spread"]["alone"]["p99"]),
        "the other program's throughput": relative_spread(result["spread"]["alone"]["throughput"]),
    }
    noisy = [f"{name} by {share:.0%}" for name, share in differs.items() if share > _NOISY]
    if noisy:
        found.append(
            "This machine is noisy: even alone, rounds differed, "
            f"{', '.join(noisy)}; smaller differences mean nothing."
        )
    if result["modes"]["native"]["high"]["p50_ms"] > result["sizes"]["period_ms"]:
        found.append(
            "Without giveway the urgent program could not keep up with its requests, so its "
            "latencies there grow with the length of the run."
        )
    return found


def times(ratio: float) -> str:
    """A ratio as a person writes it."""
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"
