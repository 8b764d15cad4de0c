"""Exports the timelines of results in Chrome's trace format, for ui.perfetto.dev."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from giveway.errors import UsageError
from giveway.report.load import Found
from giveway.report.svg.timeline import stretches
from giveway.results import store

Event = dict[str, Any]

_TRACKS = {1: "requests, batches", 2: "gate", 3: "kernels on the device"}
_GATE = {"active": "open", "held": "held", "idle": "idle"}


def trace(found: Found) -> dict[str, Any]:
    """The trace: one process for each program of each timeline; microseconds from segment start.

    Raises:
        UsageError: no run has a timeline.
    """
    events: list[Event] = []
    number = 0
    for run in found.runs:
        for scenario in run.result["results"]:
            for timeline in _timelines(run.records[scenario["name"]]):
                for program in timeline["spans"]:
                    number += 1
                    title = f"{scenario['name']}, {timeline['mode']}: {program}"
                    events += _program(number, title, timeline, program)
    if not events:
        raise UsageError(
            "these results have no timeline: only a complete run of giveway bench has one"
        )
    return {"displayTimeUnit": "ms", "traceEvents": events}


def _timelines(records: store.Records) -> Iterator[dict[str, Any]]:
    return (each for each in records if each["kind"] == "timeline")


def _program(pid: int, title: str, timeline: Mapping[str, Any], program: str) -> Iterator[Event]:
    yield {"ph": "M", "pid": pid, "name": "process_name", "args": {"name": title}}
    for tid, name in _TRACKS.items():
        yield {"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": name}}
    for due, began, ended in timeline["spans"][program]:
        late = {"due_ms": round(1e3 * due, 3), "waited_ms": round(1e3 * (began - due), 3)}
        yield _span(pid, 1, "at work", began, ended) | {"args": late}
    if timeline["states"].get(program):
        for stretch in stretches(timeline, program):
            yield _span(pid, 2, _GATE[stretch.state], stretch.begin, stretch.end)
    for began, ended in timeline.get("device", {}).get(program, ()):
        yield _span(pid, 3, "kernels", began, ended)
    for closed, _, stopped in timeline.get("closings", {}).get(program, ()):
        yield _moment(pid, "the gate closes", closed)
        if stopped is not None:
            yield _moment(pid, "the running work has stopped", stopped)


def _span(pid: int, tid: int, name: str, began: float, ended: float) -> Event:
    times = {"ts": round(1e6 * began, 1), "dur": round(1e6 * (ended - began), 1)}
    return {"ph": "X", "pid": pid, "tid": tid, "name": name, **times}


def _moment(pid: int, name: str, at: float) -> Event:
    return {"ph": "i", "s": "p", "pid": pid, "tid": 2, "name": name, "ts": round(1e6 * at, 1)}
