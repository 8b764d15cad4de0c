"""Computes the figures of each program in each mode from the rounds of a scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from giveway.results import requests
from giveway.results.rounds import Part, Round, Rounds
from giveway.results.stats import estimate, latency_summary, percentile, percentile_noise, spread

NOISY: Final = 0.10
"""The machine counts as noisy if rounds alone differ by more than this share (the standard
deviation)."""
UNEXPLAINED: Final = 2.0
"""The p99 of rounds counts as noisy if it differs by so many times what its requests explain."""
COUNTERS: Final = ("launches", "holds", "held_seconds", "preemptions")

Figures = dict[str, Any]
Estimate = dict[str, Any]


def figures(rounds: Rounds, mode: str, program: str) -> Figures | None:
    """All figures of one program in one mode; None if the program did not run there."""
    every = rounds.of(mode, program)
    if not every:
        return None
    counted = rounds.counted(mode, program)
    parts = [each.part for each in counted]
    found = latency_summary([value for part in parts for value in part["latencies_us"]])
    found["throughput"] = _rounded(fmean(map(_throughput, parts))) if parts else None
    found["busy_share"] = _busy_share(parts)
    others = [] if mode == "alone" else counted
    for name, percent in (("p50_ratio", 50.0), ("p90_ratio", 90.0), ("p99_ratio", 99.0)):
        found[name] = estimate(requests.ratios(others, "latencies_us", percent))
    saturating = not rounds.programs[program].open_loop
    found["share_of_alone"] = estimate(shares_of_alone(others)) if saturating else None
    native = rounds.counted("native", program) if mode not in ("alone", "native") else []
    found["kept_of_native"] = estimate(_kept(counted, native)) if saturating else None
    found["worst_share_of_alone"] = _worst(others)
    for counter in COUNTERS:
        values = [part[counter] for part in parts if counter in part]
        found[counter] = _rounded(sum(values)) if values else None
    found["preemption_latency_ms"] = None
    found |= requests.figures(counted, rounds.programs[program].slo, mode == "alone")
    found["not_measured"] = rounds.why_not(mode, program)
    found["rounds"] = [_round(each) for each in every]
    return found


def share_sum(
    rounds: Rounds, mode: str, cores: int | None, device_ms: Mapping[str, float | None]
) -> Estimate | None:
    """The sum of what all programs got of the device, each relative to itself alone.

    A saturating program counts with its share of its throughput alone. A program with requests has
    a given rate; it counts with the share of the device's time that its requests take alone. None
    if that time is not known exactly.

    Args:
        cores: the cores that programs shared, if the device is the CPU.
        device_ms: on a GPU, the device time of one request, by program.
    """
    names = list(rounds.programs)
    by_round: list[float] = []
    counted = [{each.number: each for each in rounds.counted(mode, name)} for name in names]
    for number in sorted(set.intersection(*map(set, counted)) if counted else ()):
        shares = []
        for name, of_program in zip(names, counted, strict=True):
            whole = 1.0
            if rounds.programs[name].open_loop:
                time = _device_share(of_program[number].alone, cores, device_ms.get(name))
                if time is None:
                    return None
                whole = time
            shares += [whole * share for share in shares_of_alone([of_program[number]])]
        if len(shares) == len(names):
            by_round.append(sum(shares))
    return estimate(by_round)


def _device_share(alone: Part | None, cores: int | None, device_ms: float | None) -> float | None:
    """The share of the device's time that a program takes alone."""
    if alone is None:
        return None
    if device_ms is not None:
        # Requests that are served together share device time, and one of them by itself says none.
        if "tokens" in alone:
            return None
        return _throughput(alone) * device_ms / 1e3
    if cores is not None and alone.get("cpu_seconds") is not None:
        return float(alone["cpu_seconds"] / (cores * alone["seconds"]))
    return None


def noise(rounds: Rounds) -> dict[str, Any]:
    """How much the rounds alone differ from each other, by figure, as a share.

    Throughput is ignored for open-loop programs, because the rate of their requests is given. The
    p99 of a round is the latency of one or two requests and differs by itself, so its noise is that
    of the p99 of all requests.
    """
    differs: dict[str, float] = {}
    much: dict[str, float] = {}
    for program, described in rounds.programs.items():
        parts = [each.part for each in rounds.counted("alone", program)]
        if len(parts) < 2:
            continue
        if not described.open_loop:
            values = {"throughput": spread([_throughput(part) for part in parts])}
        else:
            values = {}
            latencies = [part["latencies_us"] for part in parts]
            if all(latencies):
                values["p50"] = spread([percentile(each, 50) for each in latencies])
                pooled = [value for each in latencies for value in each]
                apart = spread([percentile(each, 99) for each in latencies])
                one = percentile_noise(latencies[0], 99)
                differs[f"p99_ms of {program}"] = _rounded(percentile_noise(pooled, 99))
                if apart > max(NOISY, UNEXPLAINED * one):
                    much[f"p99 of {program}"] = apart
        for name, value in values.items():
            key = f"{name}_ms of {program}" if described.open_loop else f"{name} of {program}"
            differs[key] = _rounded(value)
            if value > NOISY:
                much[f"{name} of {program}"] = value
    listed = ", ".join(f"{name} by {share:.0%}" for name, share in much.items())
    text = f"even alone, rounds differed: {listed} (standard deviation)"
    return {"noisy": bool(much), "differs": differs, "text": text if much else None}


def shares_of_alone(counted: Sequence[Round]) -> list[float]:
    """The throughput of each round by that of the program alone in the same round."""
    return [
        _throughput(each.part) / _throughput(each.alone)
        for each in counted
        if each.alone is not None and each.alone["done"]
    ]


def _kept(counted: Sequence[Round], native: Sequence[Round]) -> list[float]:
    rates = {each.number: _throughput(each.part) for each in native}
    return [
        _throughput(each.part) / rates[each.number] for each in counted if rates.get(each.number)
    ]


def _worst(counted: Sequence[Round]) -> Estimate | None:
    """The least throughput of a round by the mean alone; an extreme has no interval."""
    alone = [each.alone for each in counted if each.alone is not None]
    usual = fmean(map(_throughput, alone)) if alone else 0.0
    if not usual:
        return None
    least = min(_throughput(each.part) for each in counted)
    return {"value": _rounded(least / usual), "interval": None, "by_round": []}


def _round(each: Round) -> dict[str, Any]:
    summary = latency_summary(each.part["latencies_us"])
    return {
        "round": each.number,
        **summary,
        **requests.of_round(each.part),
        "throughput": _rounded(_throughput(each.part)),
        "busy_share": _busy_share([each.part]),
        "fault": each.fault,
    }


def _throughput(part: Part) -> float:
    return float(part["done"] / part["seconds"])


def _busy_share(parts: Sequence[Part]) -> float | None:
    if not parts or any(part["busy_seconds"] is None for part in parts):
        return None
    return _rounded(fmean(min(1.0, part["busy_seconds"] / part["seconds"]) for part in parts))


def _rounded(value: float) -> float:
    return round(value, 4)
