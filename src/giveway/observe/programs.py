"""Programs that `giveway run` started, whether or not they have made a launch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from giveway.devices import target
from giveway.sched.task import Task


@dataclass(frozen=True, slots=True)
class Program:
    """A running program that ``giveway run`` started."""

    pid: int
    name: str
    device: str
    why: str | None = None
    """Why giveway cannot gate it: a phrase with the program as its subject; None: it may yet."""

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def not_gated(read_tasks: Callable[[], Iterable[Task]]) -> list[Program]:
    """This user's programs under ``giveway run`` without a task in any process.

    Such a program has made no launch yet, or makes none that giveway hooks. Programs with another
    folder of gate pages have their tasks there, and are ignored.

    Args:
        read_tasks: reads the tasks of all devices. The call follows the listing of processes, so
            that a program that joins in between has its task and is not reported by mistake.
    """
    processes = _processes()
    gated = _with_ancestors({task.pid for task in read_tasks()}, processes)
    return [
        Program(
            pid,
            _utf8(process.environ["GIVEWAY_NAME"]),
            _utf8(process.environ["GIVEWAY_DEVICE"]),
            _why(pid, process.environ),
        )
        for pid, process in sorted(processes.items())
        if process.run == pid and pid not in gated and process.handle.is_running()
    ]


def _why(pid: int, environ: Mapping[str, str]) -> str | None:
    ungated = target.judge(Path(f"/proc/{pid}/exe"), environ)
    return ungated.why if ungated is not None else None


@dataclass(frozen=True, slots=True)
class _Process:
    handle: psutil.Process
    parent: int
    environ: dict[str, str]
    run: int


def _processes() -> dict[int, _Process]:
    found: dict[int, _Process] = {}
    for handle in psutil.process_iter():
        try:
            if handle.uids().real != os.getuid():
                continue
            environ = handle.environ()
            keys = ("GIVEWAY_RUN", "GIVEWAY_NAME", "GIVEWAY_DEVICE")
            if not all(key in environ for key in keys) or not environ["GIVEWAY_RUN"].isdecimal():
                continue
            if _folder(environ) != _folder(os.environ):
                continue
            parent = handle.ppid()
        except (psutil.Error, OSError):
            # The process has just ended, or may not be inspected.
            continue
        found[handle.pid] = _Process(handle, parent, environ, int(environ["GIVEWAY_RUN"]))
    return found


def _utf8(text: str) -> str:
    """Without the bytes that are no UTF-8, which JSON cannot hold."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _folder(environ: Mapping[str, str]) -> tuple[str, str]:
    """What decides where a program's gate pages are."""
    given = environ.get("GIVEWAY_DIR")
    return os.path.abspath(given) if given else "", environ.get("GIVEWAY_SHARED", "")


def _with_ancestors(pids: Iterable[int], processes: dict[int, _Process]) -> set[int]:
    """``pids``, their ancestors under ``giveway run``, and the programs that they belong to.

    The environment of a process also names its program, which works even after a process in between
    has ended.
    """
    seen: set[int] = set()
    left = list(pids)
    while left:
        pid = left.pop()
        if pid in seen:
            continue
        seen.add(pid)
        if pid in processes:
            left += [processes[pid].parent, processes[pid].run]
    return seen
