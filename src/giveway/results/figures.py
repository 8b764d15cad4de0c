"""Computes the figures of each program in each mode from the raw segments of a scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from giveway.results.stats import (
    latency_summary,
    mean_ratio_interval,
    percentile,
    ratio_intervals,
    relative_spread,
)

NOISY: Final = 0.10
"""The machine counts as noisy if rounds alone differ by more than this share."""

Figures = dict[str, Any]
Segments = Sequence[Mapping[str, Any]]


def by_round(segments: Segments, mode: str, program: str) -> list[dict[str, Any]]:
    """The measurements of a program in a mode, ordered by round."""
    found = [
        {"round": each["round"], "seconds": each["seconds"], **each["programs"][program]}
        for each in segments
        if each["mode"] == mode and program in each["programs"]
    ]
    return sorted(found, key=lambda part: part["round"])


def figures(segments: Segments, mode: str, program: str, above: Sequence[str]) -> Figures | None:
    """All figures of one program in one mode; None if the program was not measured there.

    Args:
        segments: the records of kind ``segment`` of a scenario.
        above: the names of the more urgent programs.
    """
    parts = by_round(segments, mode, program)
    if not parts:
        return None
    alone = by_round(segments, "alone", program)
    latencies = [value for part in parts for value in part["latencies_us"]]
    found = latency_summary(latencies)
    found["throughput"] = _rounded(fmean(map(_throughput, parts)))
    found["busy_share"] = _busy_share(parts)
    found |= _ratios(parts, alone if mode != "alone" else [])
    left = _left(segments, above) if above else None
    for name, share in (("share_of_alone", 1.0), ("share_of_left", left)):
        found[name] = _share(parts, alone, share) if mode != "alone" else None
    found["worst_share_of_alone"] = _worst(parts, alone) if mode != "alone" else None
    for counter in ("launches", "holds", "held_seconds", "preemptions"):
        values = [part[counter] for part in parts if counter in part]
        found[counter] = _rounded(sum(values)) if values else None
    found["preemption_latency_ms"] = None
    found["rounds"] = [_round(part) for part in parts]
    return found


def noise(segments: Segments, programs: Mapping[str, bool]) -> dict[str, Any]:
    """How much the rounds alone differ from each other, by figure, as a share.

    Args:
        segments: the records of kind ``segment`` of a scenario.
        programs: by name, whether the program is open-loop. Throughput is ignored for open-loop
            programs, because the rate of their requests is given.
    """
    differs = {}
    for program, open_loop in programs.items():
        rounds = [_round(part) for part in by_round(segments, "alone", program)]
        for figure in ("p50_ms", "p99_ms") if open_loop else ("throughput",):
            values = [each[figure] for each in rounds if each[figure] is not None]
            if len(values) > 1:
                differs[f"{figure} of {program}"] = _rounded(relative_spread(values))
    much = {name: share for name, share in differs.items() if share > NOISY}
    listed = ", ".join(
        f"{name.replace('_ms', '', 1)} by {share:.0%}" for name, share in much.items()
    )
    text = f"even alone, rounds differed: {listed}; smaller differences mean nothing"
    return {"noisy": bool(much), "differs": differs, "text": text if much else None}


def _round(part: Mapping[str, Any]) -> dict[str, Any]:
    summary = latency_summary(part["latencies_us"])
    return {
        **{name: summary[name] for name in ("requests", "p50_ms", "p99_ms", "max_ms")},
        "throughput": _rounded(_throughput(part)),
        "busy_share": _busy_share([part]),
    }


def _throughput(part: Mapping[str, Any]) -> float:
    return float(part["done"] / part["seconds"])


def _busy_share(parts: Sequence[Mapping[str, Any]]) -> float | None:
    if any(part["busy_seconds"] is None for part in parts):
        return None
    # A request that began before the segment counts with its whole time, hence the minimum.
    return _rounded(fmean(min(1.0, part["busy_seconds"] / part["seconds"]) for part in parts))


def _left(segments: Segments, above: Sequence[str]) -> float | None:
    """The share of the time that more urgent programs leave: 1 minus their busy shares alone."""
    shares = [_busy_share(by_round(segments, "alone", name) or [{"busy_seconds": None}])
              for name in above]  # fmt: skip
    known = [share for share in shares if share is not None]
    return max(0.0, 1 - sum(known)) if len(known) == len(shares) else None


def _ratios(
    parts: Sequence[Mapping[str, Any]], alone: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any] | None]:
    points = {"p50_ratio": 50.0, "p99_ratio": 99.0}
    above, below = ([part["latencies_us"] for part in each] for each in (parts, alone))
    pairs = [pair for pair in zip(above, below, strict=False) if all(pair)]
    if not pairs:
        return dict.fromkeys(points)
    above, below = ([pair[side] for pair in pairs] for side in (0, 1))
    intervals = ratio_intervals(above, below, list(points.values()))
    return {
        name: _with_interval(
            percentile(_together(above), percent) / percentile(_together(below), percent), interval
        )
        for (name, percent), interval in zip(points.items(), intervals, strict=True)
    }


def _together(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [value for each in rounds for value in each]


def _share(
    parts: Sequence[Mapping[str, Any]], alone: Sequence[Mapping[str, Any]], left: float | None
) -> dict[str, Any] | None:
    above, below = [_throughput(part) for part in parts], [_throughput(part) for part in alone]
    if not left or not below or not any(below):
        return None
    below = [value * left for value in below]
    return _with_interval(fmean(above) / fmean(below), mean_ratio_interval(above, below))


def _worst(
    parts: Sequence[Mapping[str, Any]], alone: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    usual = fmean(map(_throughput, alone)) if alone else 0.0
    if not usual:
        return None
    return {"value": _rounded(min(map(_throughput, parts)) / usual), "interval": None}


def _with_interval(value: float, interval: tuple[float, float] | None) -> dict[str, Any]:
    edges = None if interval is None else [_rounded(edge) for edge in interval]
    return {"value": _rounded(value), "interval": edges}


def _rounded(value: float) -> float:
    return round(value, 4)
