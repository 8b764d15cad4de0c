"""The daemon's record of one task."""

from __future__ import annotations

import os
from typing import Final

from giveway.daemon.figures import TaskFigures
from giveway.page.decider import Gate
from giveway.sched.task import Price, TaskId

OPEN: Final = Gate.OPEN
CLOSED: Final = Gate.CLOSED
"""Constants, because a lookup in the enum takes as long as writing a gate."""


class HostTask:
    """A task on a page, with the state that only the host has."""

    __slots__ = (
        "about",
        "active",
        "attributes_text",
        "device",
        "figures",
        "gate",
        "id",
        "is_thread",
        "name",
        "paused",
        "pid",
        "price",
        "row",
    )  # fmt: skip

    def __init__(self, id_: TaskId, row: int, pid: int, name: str, is_thread: bool) -> None:
        self.id = id_
        self.device = id_.device
        self.row = row
        self.pid = pid
        self.name = name
        self.is_thread = is_thread
        self.about = {"device": id_.device, "pid": pid, "name": name}
        """The fields that identify the task in a log event."""
        self.active = False
        self.paused = False
        """Whether a user paused the task; the policy then sees it as idle."""
        self.gate = OPEN
        """The gate last written to the page."""
        self.attributes_text = ""
        self.price: Price = ""
        """As last logged."""
        self.figures = TaskFigures()


def read_nice(pid: int) -> int:
    """The nice value of a process; 0 if the process is gone."""
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        return 0
