"""Finds work on the CPU that giveway does not see: a task is idle, and its process computes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from giveway.sched.task import Task

SECONDS: Final = 0.05
"""The time between the two looks."""
BUSY: Final = 0.2
"""The share of one core from which on a process computes."""


def find(
    read: Callable[[], list[Task]],
    used: Callable[[int], float | None] | None = None,
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> list[Task]:
    """Reads the tasks, and marks the idle ones whose processes compute as `Task.unseen`.

    Takes `SECONDS` where a task is idle on the CPU.

    Args:
        read: reads the tasks.
        used: the seconds of CPU time that a process has used; None: unknown.
        pause: waits for so many seconds.
        now: reads the clock.
    """
    look = used or cpu_seconds
    tasks = read()
    before = {task.ticket: (task, look(task.pid)) for task in tasks if _may_be_unseen(task)}
    if not before:
        return tasks
    began = now()
    pause(SECONDS)
    tasks = read()
    enough = BUSY * max(now() - began, SECONDS)

    def computes(task: Task) -> bool:
        if task.ticket not in before or not _may_be_unseen(task):
            return False
        earlier, then = before[task.ticket]
        later = look(task.pid)
        if then is None or later is None or earlier.launches != task.launches:
            return False
        return later - then >= enough

    return [replace(task, unseen=True) if computes(task) else task for task in tasks]


def _may_be_unseen(task: Task) -> bool:
    return task.device == "cpu" and task.state == "idle" and not task.is_thread


def cpu_seconds(pid: int) -> float | None:
    """The CPU time of a process of this user, all threads together; None: unknown."""
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.getuid():
            return None
        # The kernel's number of another process's CPU clock, as clock_getcpuclockid makes it.
        return time.clock_gettime((~pid << 3) | 2)
    except (OSError, OverflowError):
        return None
