"""Computes the figures of a simulation, which are those of ``giveway demo`` and ``bench``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from giveway.simulate.engine import Run
from giveway.simulate.parts import SimTask
from giveway.simulate.place import is_urgent
from giveway.simulate.scenario import Program, Scenario

SCHEMA: Final = 1
PERCENTILES: Final = {"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9}

Result = dict[str, Any]
"""The document that ``giveway simulate --json`` writes."""


def percentile(ordered: Sequence[int], percent: float) -> int:
    """The nearest-rank percentile: the smallest value that ``percent`` % of all do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100 - 1e-9) - 1)]


def make_result(scenario: Scenario, alone: Run, runs: Mapping[str, Run]) -> Result:
    """All figures of a scenario, by policy; ``alone`` is the run in which no task had rivals.

    Times are in milliseconds. Copies of a program are combined: latencies are those of all copies,
    throughput is the mean of the copies.
    """
    seconds = (scenario.duration_ns - scenario.warm_ns) / 1e9
    base = {
        program.name: _figures(scenario, program, alone, seconds) for program in scenario.programs
    }
    return {
        "schema": SCHEMA,
        "scenario": scenario.name,
        "seed": scenario.seed,
        "seconds": seconds,
        "devices": scenario.devices,
        "alone": base,
        "policies": {name: _policy(scenario, run, base, seconds) for name, run in runs.items()},
    }


def _policy(
    scenario: Scenario, run: Run, base: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    tasks = {}
    for program in scenario.programs:
        figures = _figures(scenario, program, run, seconds)
        before = base[program.name]
        if program.arrivals == "saturating":
            left = _left(program, run, base)
            figures["share_of_alone"] = _ratio(figures["throughput"], before["throughput"])
            figures["share_of_left"] = _ratio(figures["throughput"], before["throughput"] * left)
        elif figures["n"] and before["n"]:
            figures["ratios"] = {
                key: _ratio(figures[f"{key}_ms"], before[f"{key}_ms"]) for key in ("p50", "p99")
            }
        tasks[program.name] = figures
    busy = sum(device.busy_ns for device in run.devices)
    return {
        "tasks": tasks,
        "device_busy_share": _rounded(busy / 1e9 / seconds / scenario.devices),
        "events": run.events,
        "gate_changes": run.decisions,
        "placement": _placement(scenario, run),
        "refused": run.refused,
        "refusals": run.refusals,
        "failure": run.failure,
    }


def _placement(scenario: Scenario, run: Run) -> dict[str, Any]:
    """How urgent and other tasks share devices."""
    urgent = Counter(task.device.name for task in run.tasks if is_urgent(task.program))
    others = Counter(task.device.name for task in run.tasks if not is_urgent(task.program))
    requested = sum(program.count for program in scenario.programs)
    return {
        "kind": scenario.placement,
        "waiting": requested - len(run.tasks),
        "urgent": urgent.total(),
        "urgent_sharing": sum(count for count in urgent.values() if count > 1),
        "devices_of_others": len(others),
        "most_others": max(others.values(), default=0),
    }


def _figures(scenario: Scenario, program: Program, run: Run, seconds: float) -> dict[str, Any]:
    tasks = [task for task in run.tasks if task.program is program]
    figures: dict[str, Any] = {
        "busy_share": _mean(task.busy_ns / 1e9 / seconds for task in tasks),
        "held_share": _mean(task.held_ns / 1e9 / seconds for task in tasks),
        "preemptions": sum(task.preemptions for task in tasks),
    }
    if program.arrivals == "saturating":
        figures["throughput"] = _mean(task.launches / program.launches / seconds for task in tasks)
        return figures
    waiting = [age for task in tasks for age in _ages(task, scenario)]
    latencies = sorted([ns for task in tasks for ns in task.latencies] + waiting)
    figures |= {"n": len(latencies), "unfinished": len(waiting)}
    if latencies:
        figures |= {
            f"{key}_ms": _rounded(percentile(latencies, percent) / 1e6)
            for key, percent in PERCENTILES.items()
        }
        figures["max_ms"] = _rounded(latencies[-1] / 1e6)
    deadline = program.attributes.deadline_ns
    if deadline is not None:
        figures["missed"] = sum(ns > deadline for ns in latencies)
    return figures


def _ages(task: SimTask, scenario: Scenario) -> list[int]:
    """The ages of requests that were unfinished at the end of the simulation. They count as
    latencies."""
    due = [*([task.due] if task.working else []), *task.requests]
    return [scenario.duration_ns - at for at in due if at >= scenario.warm_ns]


def _left(program: Program, run: Run, base: Mapping[str, Any]) -> float:
    """The part of the devices' time that programs with requests leave when they run alone."""
    shares: dict[str, float] = {}
    for task in run.tasks:
        if task.program.arrivals != "saturating":
            device = task.id.device
            shares[device] = shares.get(device, 0.0) + base[task.program.name]["busy_share"]
    return _mean(
        max(0.0, 1 - shares.get(task.id.device, 0.0))
        for task in run.tasks
        if task.program is program
    )


def _mean(values: Any) -> float:
    listed = list(values)
    return _rounded(sum(listed) / len(listed))


def _ratio(value: float, base: float) -> float | None:
    return _rounded(value / base) if base else None


def _rounded(value: float) -> float:
    return round(value, 4)
