"""Reads what giveway counted in a program and its children, from the traces that they wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from giveway.observe import traces


@dataclass(frozen=True, slots=True)
class Seen:
    """The sums over the processes of a program. None: the device has no such count.

    Only processes that end normally write a trace. Killed processes do not, and neither do forked
    workers, which end by ``_exit``.
    """

    processes: int
    launches: int
    operators: int | None
    """The launches that are single-threaded operators; all others are parallel regions."""
    null_stream: int | None
    """The launches on the NULL stream."""
    graph_launches: int | None
    copies: int | None
    memsets: int | None
    allocations: int | None
    frees: int | None
    host_allocations: int | None
    host_frees: int | None
    syncs: int | None
    failures: int | None
    peak_bytes: int | None
    holds: int
    held_seconds: float
    tasks: tuple[tuple[str, int], ...]
    """Name and priority of each task."""
    kernels: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All counts as JSON values, with the number of kernels in place of their names."""
        counts = asdict(self)
        counts["kernels"] = len(self.kernels)
        counts["tasks"] = [{"name": name, "priority": priority} for name, priority in self.tasks]
        return counts


def read(folder: Path, device: str) -> Seen:
    """Reads the traces in a folder and sums the counts for a device."""
    processes = traces.read(folder)
    tasks = [task for process in processes for task in process["tasks"]]
    on_gpu = device != "cpu"

    def calls(*names: str) -> int:
        return _sum(process["calls"].get(name, 0) for process in processes for name in names)

    def on(count: int) -> int | None:
        return count if on_gpu else None

    launched = calls("launches", "legacy_launches")
    return Seen(
        processes=len(processes),
        launches=launched if on_gpu else _sum(task["launches"] for task in tasks),
        operators=None if on_gpu else _sum(task["operators"] for task in tasks),
        null_stream=on(calls("legacy_launches")),
        graph_launches=on(calls("graph_launches")),
        copies=on(calls("copies")),
        memsets=on(calls("memsets")),
        allocations=on(calls("allocations")),
        frees=on(calls("frees")),
        host_allocations=on(calls("host_allocations")),
        host_frees=on(calls("host_frees")),
        syncs=on(calls("syncs")),
        failures=on(calls("failures")),
        peak_bytes=on(_sum(process.get("bytes", {}).get("peak", 0) for process in processes)),
        holds=_sum(task["holds"] for task in tasks),
        held_seconds=round(_sum(task["held_ns"] for task in tasks) / 1e9, 6),
        tasks=tuple((task["name"], task["priority"]) for task in tasks),
        kernels=tuple(sorted({k["name"] for process in processes for k in process["kernels"]})),
    )


def _sum(counts: Iterable[int]) -> int:
    return sum(counts)
