"""What one node says about its tasks when asked: plain values, for whatever version asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from giveway import observe
from giveway.page import page_path
from giveway.version import __version__

_UNNAMED: Final = "ray"


def look() -> dict[str, Any]:
    """Tasks and programs of this machine, as its gate pages have them.

    Nodes that share a machine see the same tasks, so each comes with what it is told from others
    by (``identity``) and with whether this node's raylet started its process (``mine``).

    Raises:
        PageError: a gate page cannot be used.
    """
    tasks, others = observe.snapshot()
    boot = _text("/proc/sys/kernel/random/boot_id").strip()
    pages = {device: _file(page_path(device)) for device in {task.device for task in tasks}}
    processes = _file(Path("/proc/self/ns/pid"))
    return {
        "version": __version__,
        "tasks": [
            {
                **task.to_json(),
                "name": _title(task.pid) if task.name == _UNNAMED else task.name,
                "identity": f"{boot} {pages[task.device]} {task.ticket}",
                "mine": _is_mine(task.pid),
            }
            for task in tasks
        ],
        "not_gated": [
            {
                "pid": other.pid,
                "name": _title(other.pid) if other.name == _UNNAMED else other.name,
                "device": other.device,
                "identity": f"{boot} {processes} {other.pid}",
                "mine": _is_mine(other.pid),
            }
            for other in others
        ],
    }


def _file(path: Path) -> str:
    """Which file it is, on this machine."""
    status = path.stat()
    return f"{status.st_dev}:{status.st_ino}"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _title(pid: int) -> str:
    """What Ray calls the process, such as ``ray::Model.predict``."""
    title = _text(f"/proc/{pid}/cmdline").split("\0")[0]
    return title if title.startswith("ray::") else _UNNAMED


def _is_mine(pid: int) -> bool:
    mine = os.environ.get("RAY_RAYLET_PID")
    return f"RAY_RAYLET_PID={mine}" in _text(f"/proc/{pid}/environ").split("\0")
