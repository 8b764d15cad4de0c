"""Reads the counters of programs from the gate page and the system."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psutil

from giveway import devices
from giveway.bench import surroundings
from giveway.bench.guard import family
from giveway.errors import PageError
from giveway.page.library import NO_PAGE
from giveway.page.observer import Page
from giveway.sched.task import Task


@dataclass(frozen=True, slots=True)
class Counters:
    """The sums over the tasks and the processes of one program."""

    launches: int = 0
    holds: int = 0
    held_seconds: float = 0.0
    preemptions: int = 0
    cpu_seconds: float = 0.0
    gated: bool = False
    """Whether the program has a task."""

    def since(self, earlier: Counters) -> dict[str, float]:
        """The increase since an earlier reading. The counters of giveway are left out for a program
        without tasks."""
        found = {"cpu_seconds": round(self.cpu_seconds - earlier.cpu_seconds, 3)}
        if self.gated:
            found |= {
                "launches": self.launches - earlier.launches,
                "holds": self.holds - earlier.holds,
                "held_seconds": round(self.held_seconds - earlier.held_seconds, 6),
                "preemptions": self.preemptions - earlier.preemptions,
            }
        return found


class Reader:
    """Reads the pages of a device; each page is opened once."""

    def __init__(self, device: str) -> None:
        self._missing = list(devices.get(device).pages)
        self._pages: list[Page] = []
        self._found: dict[tuple[int, int], tuple[int, ...]] = {}
        """The sessions of each task, by pid and ticket: samples of a timeline need them at once."""

    def counters(self, sessions: Mapping[str, int | None], gated: bool) -> dict[str, Counters]:
        """Reads the counters of programs.

        Args:
            sessions: by name of the program, the session of its processes.
            gated: whether to read the gate pages.
        """
        tasks = self.tasks(sessions) if gated else {}
        return {name: _counters(tasks.get(name, []), session) for name, session in sessions.items()}

    def tasks(self, sessions: Mapping[str, int | None]) -> dict[str, list[Task]]:
        """Reads the live tasks of each program."""
        self._open()
        names = {session: name for name, session in sessions.items() if session}
        found: dict[str, list[Task]] = {name: [] for name in sessions}
        for task in (task for page in self._pages for task in page.tasks()):
            name = next((names[each] for each in self._sessions(task) if each in names), None)
            if name is not None:
                found[name].append(task)
        return found

    def intruders(self, own: Collection[int]) -> list[str]:
        """The daemon, and the tasks of processes that do not come from own sessions, in words."""
        self._open()
        decider = next((pid for page in self._pages if (pid := page.decider())), 0)
        others = []
        for task in (task for page in self._pages for task in page.tasks()):
            found = self._sessions(task)
            if found and not any(each in own for each in found):
                others.append(task)
        return surroundings.in_words(decider, others)

    def _sessions(self, task: Task) -> tuple[int, ...]:
        """The sessions of its process and of the ancestors of that; empty if it is gone.

        Some launchers, such as torchrun, give each worker a session of its own.
        """
        known = self._found.get((task.pid, task.ticket))
        if known is None:
            known = ()
            with contextlib.suppress(ProcessLookupError, psutil.Error):
                process = psutil.Process(task.pid)
                pids = (task.pid, *(each.pid for each in process.parents()))
                known = tuple(dict.fromkeys(map(os.getsid, pids)))
                self._found[task.pid, task.ticket] = known
        return known

    def _open(self) -> None:
        """Opens the pages that exist by now; the first program on a GPU creates its page."""
        for name in list(self._missing):
            try:
                self._pages.append(Page.open(name))
            except PageError as error:
                if error.code != NO_PAGE:
                    raise
            else:
                self._missing.remove(name)


def _counters(tasks: list[Task], session: int | None) -> Counters:
    return Counters(
        launches=sum(task.launches for task in tasks),
        holds=sum(task.holds for task in tasks),
        held_seconds=sum(task.held_seconds for task in tasks),
        preemptions=sum(task.preemptions for task in tasks),
        cpu_seconds=_cpu_seconds(session) if session else 0.0,
        gated=bool(tasks),
    )


def _cpu_seconds(session: int) -> float:
    """The CPU time of the processes of a session and their descendants, ended ones included."""
    total = 0.0
    for pid, _ in family(session):
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
