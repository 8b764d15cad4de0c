"""Finds work on the CPU that giveway does not see: a task is idle, and its process computes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from giveway.sched.task import Task

SECONDS: Final = 0.05
"""The time between the two looks."""
BUSY: Final = 0.2
"""The share of the time from which on a process computes. Waiting for a core counts: on a machine
with more work than cores, a process computes although it gets little."""


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
        used: the seconds in which a process computed, or would have; None: unknown.
        pause: waits for so many seconds.
        now: reads the clock.
    """
    look = used or wanted_seconds
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


def wanted_seconds(pid: int) -> float | None:
    """The seconds in which threads of a process of this user had a core or waited for one, all
    threads together; None: unknown."""
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.getuid():
            return None
        # The kernel's number of another process's CPU clock, as clock_getcpuclockid makes it.
        return time.clock_gettime((~pid << 3) | 2) + _waited_seconds(pid)
    except (OSError, OverflowError):
        return None


def _waited_seconds(pid: int) -> float:
    """How long the threads that live have waited for a core; 0: this kernel does not count it."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, IndexError):  # a thread has ended
            total += int(path.read_bytes().split()[1])
    return total / 1e9
