"""Results on disk, for pages and comparisons."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from giveway.bench.header import header
from giveway.results.store import Store
from giveway.scenarios.modes import gated
from tests.unit import bench_records

Records = bench_records.Records


def run(folder: Path, scenarios: dict[str, Records | None], **changed: Any) -> Path:
    """What ``giveway bench`` leaves; None for a scenario that was not started. ``changed`` is what
    the header says otherwise."""
    named = [replace(bench_records.SCENARIO, name=name) for name in scenarios]
    store = Store(folder, header(bench_records.SETTINGS, named) | changed)
    for name, records in scenarios.items():
        record = store.recorder(name)
        for each in records or []:
            record(each)
    return folder


def noisy(
    seed: int, slower: float = 1.0, low: float = 12.0, machine: float = 1.0, rounds: int = 5
) -> Records:
    """Two programs of which the urgent one takes ``slower`` times as long under giveway, on a
    machine that is ``machine`` times slower as a whole."""
    draw = np.random.default_rng(seed)

    def high(ms: float) -> dict[str, Any]:
        values = 1e3 * ms * machine * np.exp(draw.normal(0, 0.06, 150) + draw.normal(0, 0.01))
        busy = bench_records.high(1, busy=0.3)
        return busy | {"latencies_us": values.round(1).tolist(), "done": 150.0}

    def other(rate: float) -> dict[str, Any]:
        return bench_records.low(rate / machine * float(np.exp(draw.normal(0, 0.01))))

    found = [each for each in bench_records.records() if each["kind"] in ("scenario", "sizes")]
    for number in range(rounds):
        found += [
            bench_records.segment("alone", number, high=high(10)),
            bench_records.segment("alone", number, low=other(20)),
            bench_records.segment("native", number, high=high(50), low=other(8)),
            bench_records.segment("giveway", number, high=high(11 * slower), low=other(low)),
        ]
    return [*found, timeline(), {"kind": "end"}]


SHARED: dict[str, tuple[float, float]] = {
    "mps": (23, 14), "giveway 0%": (5.6, 7), "giveway 10%": (6.2, 11), "giveway 30%": (7.4, 14),
    "mps+giveway": (5.9, 13),
}  # fmt: skip
"""Further modes: half the p99 of the urgent program in ms, and the throughput of the other."""


def with_modes(records: Records, modes: dict[str, tuple[float, float]] = SHARED) -> Records:
    """The same, measured in further modes."""
    more = [
        bench_records.segment(
            mode, number, high=bench_records.high(ms, busy=0.3), low=bench_records.low(rate)
        )
        for number in range(5)
        for mode, (ms, rate) in modes.items()
    ]
    return [*records[:-1], *more, records[-1]]


def sweep(name: str = "dual", loads: Sequence[float] = (0.1, 0.5, 0.9)) -> dict[str, Records]:
    """A scenario at several loads; the urgent program is slower at higher ones."""
    found = {}
    for load in loads:
        records = noisy(int(100 * load), slower=1 + load / 4, low=20 * (1 - load))
        mps = {"mps": (15 + 20 * load, 19 - 8 * load)}
        member = f"{name}@{load:g}"
        found[member] = renamed(with_modes(records, mps), member, family=name, load=load)
    return found


def pairs(names: Sequence[str] = ("resnet50+bert", "vgg19+gpt2")) -> dict[str, Records]:
    """Pairs of one family, of which the first helps less."""
    return {
        f"pairs@{name}": renamed(noisy(at, slower=1.5 - at / 2), f"pairs@{name}", family="pairs")
        for at, name in enumerate(names)
    }


def timeline(mode: str = "giveway") -> dict[str, Any]:
    """Three requests; while the second is answered, the other program is held."""
    return {
        "kind": "timeline", "mode": mode, "start": 0.2, "end": 1.2, "sample_seconds": 0.001,
        "spans": {
            "high": [[0.3, 0.3, 0.305], [0.5, 0.501, 0.51], [0.7, 0.7, 0.75]],
            "low": [[0.1, 0.1, 0.4], [0.4, 0.4, 1.3]],
        },
        "states": {
            "high": [[0.2, "idle"], [0.501, "active"], [0.512, "idle"]],
            "low": [[0.2, "active"], [0.502, "held"], [0.513, "active"]],
        },
    }  # fmt: skip


def on_a_gpu(mode: str) -> dict[str, Any]:
    """The same of a mode on a GPU, with the kernels of both programs."""
    found = timeline(mode)
    if not gated(mode):
        found |= {"states": {}, "sample_seconds": None}
    low = [[each / 1000, each / 1000 + 0.0008] for each in range(200, 1200)]
    if gated(mode):
        low = [each for each in low if not 0.503 <= each[0] < 0.513]
    high = [[0.501, 0.504], [0.505, 0.51], [0.7, 0.75]]
    return found | {"device": {"high": high, "low": low}}


def renamed(records: Records, name: str, **scenario: Any) -> Records:
    """The same, as another scenario."""
    first = {"kind": "scenario", "scenario": {**records[0]["scenario"], "name": name, **scenario}}
    return [first, *records[1:]]


def failed(what: str = "ended with exit code 1", last: Sequence[str] = ()) -> Records:
    """A scenario of which a program died at once."""
    scenario = replace(bench_records.SCENARIO, name="broken").to_json()
    return [
        {"kind": "scenario", "scenario": json.loads(json.dumps(scenario))},
        {
            "kind": "failure", "program": "high", "mode": "alone", "round": 0, "what": what,
            "last_lines": list(last),
        },
        {"kind": "end"},
    ]  # fmt: skip


def verify(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    """What ``giveway verify --json`` writes, of three checks."""
    seen = {"launches": 468, "holds": 3}
    checks = [
        check("resnet50", "3", "ResNet-50", "passed", None, seen),
        check("graph", "extra", "CUDA graph", "skipped", "cpu has no graphs", None),
        check("mlp", "2", "MLP <wide>", "failed", "output 0 differs in 3 of 10 values", seen),
    ]
    value: dict[str, Any] = {
        "schema": 1, "command": "verify", "date": "2026-01-02T03:04:05+00:00", "commit": None,
        "device": {"name": "cpu", "description": "CPU, 2 cores"},
        "machine": {"cpu": "some CPU", "cores": 2, "memory_bytes": 8_000_000_000,
                    "system": "Linux 6.1", "architecture": "x86_64"},
        "versions": {"python": "3.11.7", "torch": None}, "torch": {}, "seed": 20, "jobs": 1,
        "rivals": 2, "rivals_worked": 4, "seconds": 3.5, "interrupted": False, "ok": False,
        "counts": {"passed": 1, "failed": 1, "skipped": 1}, "checks": checks,
    }  # fmt: skip
    change(value)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "verify.json"
    path.write_text(json.dumps(value))
    return path


def check(
    name: str, phase: str, title: str, status: str, reason: str | None, seen: dict[str, Any] | None
) -> dict[str, Any]:
    comparison = {"how": "bitwise", "outputs": 1, "plain_runs": 1, "first_difference": None}
    return {
        "name": name, "phase": phase, "title": title, "status": status, "reason": reason,
        "ended": "done", "seconds": 1.25, "comparison": comparison if seen else None,
        "not_deterministic": [], "seen": seen, "facts": {}, "rss_bytes": None,
    }  # fmt: skip
