"""Observation of running programs, by the gate pages and the kernel's process tables."""

from __future__ import annotations

import signal
from pathlib import Path

from giveway import page
from giveway.observe import tasks as observe
from giveway.sched.task import Task
from tests.waiting import eventually

_ENOUGH = 300
"""Launches of a millisecond or more. No program with an open gate stands still for so long."""


def tasks() -> dict[str, Task]:
    """The tasks there are, by name."""
    return {task.name: task for task in observe.read()}


def task_of(pid: int, device: str = "cpu") -> Task:
    found = [task for task in page.Page.open(device).tasks() if task.pid == pid]
    if not found:
        raise LookupError(f"{pid} has no task on {device} yet")
    return found[0]


def goes_on(pid: int, launches: int = 20, device: str = "cpu") -> bool:
    """Whether the process comes to make so many launches more."""
    until = task_of(pid, device).launches + launches
    return eventually(lambda: task_of(pid, device).launches >= until, 120)


def stands_still(pid: int, other: int) -> bool:
    """Whether the process makes no launch while the other process makes fifty.

    Where the machine stalls the other one or a daemon for long, it is no one's turn to wait: to be
    called by `eventually`.
    """
    before = task_of(pid).launches
    return goes_on(other, 50) and task_of(pid).launches == before


def gives_way(low: int, high: int) -> bool:
    """Whether one program launches nothing while the other launches hundreds of times.

    Not at once, nor each time: a busy machine may stall the urgent program between two launches
    until it counts as idle, and then the other may go on.
    """
    return eventually(lambda: _launches_nothing(low, high), seconds=60)


def _launches_nothing(low: int, high: int) -> bool:
    """As `stands_still`, but gives up as soon as the process launches."""
    still, enough = task_of(low).launches, task_of(high).launches + _ENOUGH
    seen = [still]

    def is_decided() -> bool:
        done = task_of(high).launches >= enough
        seen.append(task_of(low).launches)
        return done or seen[-1] > still

    return eventually(is_decided, every=0.005) and seen[-1] == still


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal."""
    words = Path(f"/proc/{pid}/status").read_text().split()
    return bool(int(words[words.index("SigCgt:") + 1], 16) & 1 << (number - 1))
