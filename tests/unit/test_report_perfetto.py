"""Timelines of the bench as a trace that Perfetto opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from giveway.errors import UsageError
from giveway.report import load, perfetto
from tests.unit import report_examples

Event = dict[str, Any]


def events(folder: Path, **more: Any) -> list[Event]:
    records = report_examples.noisy(1)
    records[-2] = records[-2] | more
    report_examples.run(folder / "r", {"dual": records})
    found: list[Event] = perfetto.trace(load.load([folder / "r"]))["traceEvents"]
    return found


def of(found: list[Event], program: str, track: int) -> list[Event]:
    names = {e["pid"]: e["args"]["name"] for e in found if e["name"] == "process_name"}
    return [e for e in found if e["ph"] == "X" and e["tid"] == track and names[e["pid"]] == program]


def test_requests_and_gates_of_each_program(tmp_path: Path) -> None:
    found = events(tmp_path)
    requests = of(found, "dual, giveway: high", 1)
    assert [(e["ts"], e["dur"]) for e in requests] == [
        (300_000, 5_000), (501_000, 9_000), (700_000, 50_000),
    ]  # fmt: skip
    assert requests[1]["args"] == {"due_ms": 500.0, "waited_ms": 1.0}
    gates = of(found, "dual, giveway: low", 2)
    assert [(e["name"], e["ts"]) for e in gates] == [
        ("open", 200_000), ("held", 502_000), ("open", 513_000),
    ]  # fmt: skip
    assert gates[-1]["dur"] == 1_200_000 - 513_000


def test_kernels_and_what_the_gate_did(tmp_path: Path) -> None:
    device = {"low": [[0.3, 0.50213]]}
    closings = {"low": [[0.502, 0.513, 0.50213], [0.6, 0.61, None]]}
    found = events(tmp_path, device=device, closings=closings)
    (kernels,) = of(found, "dual, giveway: low", 3)
    assert (kernels["ts"], kernels["dur"]) == (300_000, 202_130)
    moments = [(e["name"], e["ts"]) for e in found if e["ph"] == "i"]
    closes, stopped = "the gate closes", "the running work has stopped"
    assert moments == [(closes, 502_000), (stopped, 502_130), (closes, 600_000)]


def test_every_mode_has_its_programs(tmp_path: Path) -> None:
    modes = ("native", "giveway", "mps+giveway 10%", "mps")
    records = report_examples.noisy(1)
    records[-2:-1] = [report_examples.on_a_gpu(mode) for mode in modes]
    report_examples.run(tmp_path / "r", {"dual": records})
    found: list[Event] = perfetto.trace(load.load([tmp_path / "r"]))["traceEvents"]
    for mode in modes:
        assert len(of(found, f"dual, {mode}: high", 1)) == 3
        assert len(of(found, f"dual, {mode}: high", 3)) == 3
        assert len(of(found, f"dual, {mode}: low", 3)) >= 990
        assert bool(of(found, f"dual, {mode}: low", 2)) == ("giveway" in mode)


def test_without_a_timeline_there_is_nothing_to_show(tmp_path: Path) -> None:
    report_examples.run(tmp_path / "r", {"broken": report_examples.failed()})
    with pytest.raises(UsageError, match="no timeline"):
        perfetto.trace(load.load([tmp_path / "r"]))
