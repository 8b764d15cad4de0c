"""What the gate page and the system counted for a program, at one moment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from giveway import devices
from giveway.errors import PageError
from giveway.page import NO_PAGE, Page
from giveway.task import Task


@dataclass(frozen=True, slots=True)
class Counters:
    """Sums over the tasks and the processes of one program."""

    launches: int = 0
    holds: int = 0
    held_seconds: float = 0.0
    preemptions: int = 0
    cpu_seconds: float = 0.0
    gated: bool = False
    """Whether it has a task."""

    def since(self, earlier: Counters) -> dict[str, float]:
        """What was added; without what giveway counts where it counted nothing."""
        found = {"cpu_seconds": round(self.cpu_seconds - earlier.cpu_seconds, 3)}
        if self.gated:
            found |= {
                "launches": self.launches - earlier.launches,
                "holds": self.holds - earlier.holds,
                "held_seconds": round(self.held_seconds - earlier.held_seconds, 6),
                "preemptions": self.preemptions - earlier.preemptions,
            }
        return found


def read(device: str, sessions: Mapping[str, int | None], gated: bool) -> dict[str, Counters]:
    """The counters of the programs whose processes are in those sessions.

    Args:
        device: whose pages to look at.
        sessions: by name of the program.
        gated: whether to look at the pages at all.
    """
    by_session: dict[int, list[Task]] = {}
    for task in tasks(device) if gated else ():
        with contextlib.suppress(ProcessLookupError):
            by_session.setdefault(os.getsid(task.pid), []).append(task)
    return {
        name: _counters(by_session.get(session or 0, []), session)
        for name, session in sessions.items()
    }


def tasks(device: str) -> list[Task]:
    """The live tasks on all pages of a device."""
    found: list[Task] = []
    for name in devices.get(device).pages:
        try:
            found += Page.open(name).tasks()
        except PageError as error:
            if error.code != NO_PAGE:
                raise
    return found


def _counters(tasks: list[Task], session: int | None) -> Counters:
    return Counters(
        launches=sum(task.launches for task in tasks),
        holds=sum(task.holds for task in tasks),
        held_seconds=sum(task.held_seconds for task in tasks),
        preemptions=sum(task.preemptions for task in tasks),
        cpu_seconds=_cpu_seconds(session) if session else 0.0,
        gated=bool(tasks),
    )


def _cpu_seconds(leader: int) -> float:
    """Of a process and those that it started."""
    total = 0.0
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(leader)
        for process in (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
    return total
