"""Computes the result of a run, for reports and comparisons, from its header and raw records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from giveway.errors import UsageError
from giveway.results import bars, figures, preemption, store
from giveway.results.rounds import Described, Rounds, Segments, last_attempts
from giveway.scenarios.model import Bar
from giveway.scenarios.modes import gated

Failures = Sequence[Mapping[str, Any]]
Result = dict[str, Any]
"""All figures of a run; docs/reference/results.md has its schema."""


def read(folder: Path) -> Result:
    """Reads the result in a folder, plain or packed; ``complete`` is false if the run was killed.

    Raises:
        UsageError: the folder has no result, or the result is damaged or of another schema.
    """
    head = store.header_of(folder)
    records = {name: store.records_of(folder, name) for name in head["scenarios"]}
    try:
        return summarise(head, records)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"{folder} is damaged: {type(error).__name__}: {error}") from error


def summarise(head: Mapping[str, Any], records: Mapping[str, store.Records]) -> Result:
    """Computes all figures of a run, as JSON values."""
    scenarios = [_scenario(head, name, each) for name, each in records.items()]
    verdicts = Counter(bar["verdict"] for each in scenarios for bar in each["bars"])
    return {
        **head,
        "complete": all(each["status"] in ("measured", "failed") for each in scenarios),
        "results": scenarios,
        "bars": {
            "passed": verdicts[bars.PASS],
            "failed": verdicts[bars.FAIL],
            "not_shown": verdicts[bars.NOT_SHOWN],
            "not_measured": verdicts[bars.NOT_MEASURED],
        },
    }


def _scenario(head: Mapping[str, Any], name: str, records: store.Records) -> dict[str, Any]:
    kinds: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        kinds.setdefault(record["kind"], []).append(record)
    if "scenario" not in kinds:
        return {"name": name, "title": None, "status": "not started", "bars": []}
    scenario = kinds["scenario"][0]["scenario"]
    segments = kinds.get("segment", [])
    failures = kinds.get("failure", [])
    status = "failed" if failures else "measured" if "end" in kinds else "incomplete"
    programs = _programs(scenario, [*kinds.get("sizes", []), *kinds.get("device", [])])
    found = rounds(programs, segments)
    modes = _modes(found)
    whole = {
        (mode, program)
        for mode in found.modes
        for program in programs
        if len(found.of(mode, program)) >= int(head["settings"]["repeats"])
    }
    for mode in filter(gated, modes):
        timelines = [each for each in kinds.get("timeline", []) if each["mode"] == mode]
        for program, of_program in modes[mode].items():
            of_program["preemption_latency_ms"] = preemption.latency(timelines, program)
    why_not = {each["mode"]: each["reason"] for each in kinds.get("mode", [])}
    return {
        "name": name,
        "title": scenario["title"],
        "family": scenario.get("family") or None,
        "load": scenario.get("load"),
        "status": status,
        "failures": [
            {key: each[key] for key in ("program", "mode", "round", "what", "last_lines")}
            for each in failures
        ],
        "programs": programs,
        "modes": modes,
        "modes_not_measured": why_not,
        "share_sum": _share_sums(head, scenario, found, programs),
        "device_busy_share": _device_busy(last_attempts(segments)),
        "bars": [
            bars.evaluate(
                _bar(each),
                modes,
                why_not,
                _failed(each, scenario, failures) or _unfinished(each, scenario, status, whole),
            )
            for each in scenario["bars"]
        ],
        "rounds_lost": [list(each) for each in found.lost()],
        "noise": figures.noise(found),
    }


def rounds(programs: Mapping[str, Mapping[str, Any]], records: store.Records) -> Rounds:
    """The rounds of a scenario.

    Args:
        programs: the programs of the scenario, as in its figures.
        records: its raw records.
    """
    described = {
        name: Described(
            each["arrivals"] != "saturating", each["service_ms"], each["slo"], each["load"]
        )
        for name, each in programs.items()
    }
    return Rounds((each for each in records if each["kind"] == "segment"), described)


def _failed(bar: Mapping[str, Any], scenario: Mapping[str, Any], failures: Failures) -> str | None:
    """The program failure that keeps the bar from being judged; None without one."""
    concerned = {bar["program"], *bar["order"]}
    for each in failures:
        if scenario["together"] or each["program"] in concerned:
            return f"{each['program']} {each['what']}"
    return None


def _unfinished(
    bar: Mapping[str, Any], scenario: Mapping[str, Any], status: str, whole: Set[tuple[str, str]]
) -> str | None:
    """The reason if the run was killed before everything that the bar needs was measured."""
    names = {each["name"] for each in scenario["programs"]}
    if not scenario["together"]:
        names &= {bar["program"], *bar["order"]}
    wanted = {(mode, name) for mode in ("alone", bar["mode"]) for name in names}
    return "the run was not finished" if status == "incomplete" and wanted - whole else None


def _bar(value: Mapping[str, Any]) -> Bar:
    return Bar(**{**value, "order": tuple(value["order"])})


def _modes(measured: Rounds) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in measured.modes:
        each = {name: figures.figures(measured, mode, name) for name in measured.programs}
        found[mode] = {name: value for name, value in each.items() if value is not None}
    return found


def _share_sums(
    head: Mapping[str, Any],
    scenario: Mapping[str, Any],
    measured: Rounds,
    programs: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    if not scenario["together"]:
        return {}
    cores = head["machine"]["cores"] if head["device"] == "cpu" else None
    device_ms = {name: each["device_ms"] for name, each in programs.items()}
    return {
        mode: figures.share_sum(measured, mode, cores, device_ms)
        for mode in measured.modes
        if mode != "alone"
    }


def _programs(
    scenario: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    chosen: dict[str, dict[str, Any]] = {}
    for record in records:
        chosen.setdefault(record["program"], {}).update(record)
    urgent = max(scenario["programs"], key=lambda each: int(each["priority"]))["name"]
    return {
        each["name"]: {
            "priority": each["priority"],
            "model": each["model"],
            "task": each["task"] if each["model"] else None,
            "command": each["command"] or None,
            "arrivals": each["arrivals"]["process"],
            "load": scenario.get("load") if each["name"] == urgent else None,
            "tokens": each.get("tokens"),
            "server": (each.get("server") or {}).get("url"),
            "slo": each.get("slo") or {},
            **{
                key: chosen.get(each["name"], {}).get(key)
                for key in ("size", "rate", "service_ms", "device_ms")
            },
        }
        for each in scenario["programs"]
    }


def _device_busy(segments: Segments) -> dict[str, float | None]:
    """The mean over rounds, by mode; for ``alone``, by ``alone PROGRAM``."""
    shares: dict[str, list[float | None]] = {}
    for segment in segments:
        key = segment["mode"]
        if len(segment["programs"]) == 1:
            key = f"{key} {next(iter(segment['programs']))}"
        shares.setdefault(key, []).append(segment["device_busy_share"])
    return {
        key: None if None in values else round(sum(filter(None, values)) / len(values), 4)
        for key, values in shares.items()
    }
