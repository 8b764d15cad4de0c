"""The tasks of one node as plain values, which every version of giveway can read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from giveway.observe import tasks as observed
from giveway.observe.details import Inspector, find_process, key
from giveway.page.observer import page_path
from giveway.version import __version__

_UNNAMED: Final = "ray"


def read_tasks() -> dict[str, Any]:
    """The tasks and programs in the gate pages of this machine.

    Nodes that share a machine report the same tasks. So each task has an ``identity``, which is
    unique in the cluster, and ``mine``: whether this node's raylet started its process.

    Raises:
        PageError: a gate page cannot be used.
    """
    tasks, others = observed.snapshot()
    details = Inspector().read(tasks, others)
    boot = _text("/proc/sys/kernel/random/boot_id").strip()
    pages = {device: _file(page_path(device)) for device in {task.device for task in tasks}}
    processes = _file(Path("/proc/self/ns/pid"))
    return {
        "version": __version__,
        "tasks": [
            {
                **task.to_json(),
                **details[key(task)].to_json(),
                "name": _title(pid) if task.name == _UNNAMED and pid is not None else task.name,
                "identity": f"{boot} {pages[task.device]} {task.ticket}",
                "mine": pid is not None and _is_mine(pid),
            }
            for task, pid in ((task, find_process(task)) for task in tasks)
        ],
        "not_gated": [
            {
                **other.to_json(),
                **details[key(other)].to_json(),
                "name": _title(other.pid) if other.name == _UNNAMED else other.name,
                "identity": f"{boot} {processes} {other.pid}",
                "mine": _is_mine(other.pid),
            }
            for other in others
        ],
    }


def _file(path: Path) -> str:
    """The identity of a file on this machine."""
    status = path.stat()
    return f"{status.st_dev}:{status.st_ino}"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _title(pid: int) -> str:
    """Ray's title of the process, such as ``ray::Model.predict``."""
    title = _text(f"/proc/{pid}/cmdline").split("\0")[0]
    return title if title.startswith("ray::") else _UNNAMED


def _is_mine(pid: int) -> bool:
    mine = os.environ.get("RAY_RAYLET_PID")
    return f"RAY_RAYLET_PID={mine}" in _text(f"/proc/{pid}/environ").split("\0")
