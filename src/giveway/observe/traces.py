"""Reads the files that programs write under ``GIVEWAY_TRACE``: one JSON file for each process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read(folder: Path) -> list[dict[str, Any]]:
    """The traces of all processes, in the order in which the processes ended.

    A file that a killed process left incomplete is skipped.
    """
    processes = []
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
        try:
            process = json.loads(path.read_text(errors="replace"))
        except ValueError:
            continue
        process.setdefault("calls", {})
        process["kernels"] = _by_name(process.get("kernels", []))
        processes.append(process)
    return processes


def _by_name(kernels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums launches by name: a kernel has one handle for each module and context that loads it."""
    launches: dict[str, int] = {}
    for kernel in kernels:
        launches[kernel["name"]] = launches.get(kernel["name"], 0) + kernel["launches"]
    return [
        {"name": name, "launches": count}
        for name, count in sorted(launches.items(), key=lambda item: (-item[1], item[0]))
    ]
