"""Which program makes progress and which stands still, by the launches in the gate page."""

from __future__ import annotations

from giveway.page.observer import Page
from giveway.sched.task import Task
from tests.waiting import eventually

_ENOUGH = 300
"""Launches of a millisecond or more. No program with an open gate stands still for so long."""


def task_of(pid: int) -> Task:
    """The process's task. Raises LookupError where it has none yet."""
    for task in Page.open().tasks():
        if task.pid == pid:
            return task
    raise LookupError(f"process {pid} has no task")


def goes_on(pid: int) -> bool:
    """Whether the task launches."""
    before = task_of(pid).launches
    return eventually(lambda: task_of(pid).launches > before)


def gives_way(low: int, high: int) -> bool:
    """Whether one program launches nothing while the other launches hundreds of times.

    Not at once, nor each time: a busy machine may stall the urgent program between two launches
    until it counts as idle, and then the other may go on.
    """
    return eventually(lambda: _stands_still(low, high), seconds=60)


def _stands_still(low: int, high: int) -> bool:
    still, enough = task_of(low).launches, task_of(high).launches + _ENOUGH
    seen = [still]

    def is_decided() -> bool:
        done = task_of(high).launches >= enough
        seen.append(task_of(low).launches)
        return done or seen[-1] > still

    return eventually(is_decided, every=0.005) and seen[-1] == still
