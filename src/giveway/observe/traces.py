"""What programs leave behind under ``GIVEWAY_TRACE``: one file of JSON for each process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read(folder: Path) -> list[dict[str, Any]]:
    """What each process left, in the order in which they ended.

    One that was killed while it wrote has left nothing that could be read.
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
    """A name may have several handles: one for each module and context it was loaded into."""
    launches: dict[str, int] = {}
    for kernel in kernels:
        launches[kernel["name"]] = launches.get(kernel["name"], 0) + kernel["launches"]
    return [
        {"name": name, "launches": count}
        for name, count in sorted(launches.items(), key=lambda item: (-item[1], item[0]))
    ]
