"""Raw records of a run that never was."""

from __future__ import annotations

import json
from typing import Any

from giveway.bench.header import header
from giveway.bench.segments import Settings
from giveway.results.result import Result, summarise
from giveway.scenarios.model import Arrivals, Bar, Program, Scenario

Records = list[dict[str, Any]]

SETTINGS = Settings("cpu", seconds=5.0, repeats=3)
SCENARIO = Scenario(
    name="dual",
    title="Two programs",
    programs=(
        Program("high", Arrivals("fixed", busy=0.2), priority=10, model="resnet18"),
        Program("low", Arrivals("saturating"), model="resnet50"),
    ),
    bars=(
        Bar("p99_ratio", "high", at_most=1.3),
        Bar("share_of_alone", "low", at_least=0.8),
    ),
)


def high(latency_ms: float, busy: float = 0.2) -> dict[str, Any]:
    """A hundred requests, of which the two slowest took twice as long."""
    us = latency_ms * 1e3
    latencies = [us] * 98 + [2 * us] * 2
    return {"latencies_us": latencies, "busy_seconds": busy * 5, "done": 100.0, "cpu_seconds": 2.0}


def low(throughput: float) -> dict[str, Any]:
    latencies = [1e6 / throughput] * int(5 * throughput)
    return {
        "latencies_us": latencies, "busy_seconds": 5.0, "done": 5 * throughput, "cpu_seconds": 8.0,
    }  # fmt: skip


def segment(mode: str, number: int, **programs: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "segment",
        "mode": mode,
        "round": number,
        "seconds": 5.0,
        "device_busy_share": 0.5,
        "programs": programs,
    }


def round_of(number: int, alone: float, native: float, giveway: float) -> Records:
    """One round, of latencies in ms."""
    counted = {"launches": 10, "holds": 4, "held_seconds": 0.5, "preemptions": 2}
    return [
        segment("alone", number, high=high(alone)),
        segment("alone", number, low=low(20.0)),
        segment("native", number, high=high(native), low=low(8.0)),
        segment("giveway", number, high=high(giveway), low=low(12.0) | counted),
    ]


def records(
    native: tuple[float, ...] = (40, 50, 60),
    giveway: tuple[float, ...] = (10, 11, 12),
    alone: tuple[float, ...] = (10, 10, 10),
    scenario: Scenario = SCENARIO,
) -> Records:
    found: Records = [
        {"kind": "scenario", "scenario": scenario.to_json()},
        {
            "kind": "sizes", "program": "high", "size": {"batch": 1, "image": 96},
            "rate": 20.0, "service_ms": 10.0,
        },
        {
            "kind": "sizes", "program": "low", "size": {"batch": 8, "image": 96},
            "rate": None, "service_ms": 50.0,
        },
    ]  # fmt: skip
    for number, each in enumerate(zip(alone, native, giveway, strict=True)):
        found += round_of(number, *each)
    # As they come back from a file.
    plain: Records = json.loads(json.dumps([*found, {"kind": "end"}]))
    return plain


def result(raw: Records | None = None, **latencies: tuple[float, ...]) -> Result:
    """A run whose latencies in ms, by round, are the arguments."""
    return summarise(header(SETTINGS, [SCENARIO]), {"dual": raw or records(**latencies)})


def scenario_of(raw: Records | None = None, **latencies: tuple[float, ...]) -> dict[str, Any]:
    (scenario,) = json.loads(json.dumps(result(raw, **latencies)))["results"]
    return scenario  # type: ignore[no-any-return]
