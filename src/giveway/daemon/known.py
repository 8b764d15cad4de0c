"""A task as the daemon knows it."""

from __future__ import annotations

from typing import Final

from giveway.daemon.figures import TaskFigures
from giveway.page.decider import Gate
from giveway.sched.task import TaskId

OPEN: Final = Gate.OPEN
CLOSED: Final = Gate.CLOSED
"""Names for what is said of every task: to look it up in the enum takes as long as to write it."""


class Known:
    """A task on a page, and what only the host knows of it."""

    __slots__ = ("about", "active", "device", "figures", "gate", "id", "is_thread", "name",
                 "paused", "pid", "row", "said")  # fmt: skip

    def __init__(self, id_: TaskId, row: int, pid: int, name: str, is_thread: bool) -> None:
        self.id = id_
        self.device = id_.device
        self.row = row
        self.pid = pid
        self.name = name
        self.is_thread = is_thread
        self.about = {"device": id_.device, "pid": pid, "name": name}
        """The task in an event."""
        self.active = False
        self.paused = False
        """To the policy it is idle."""
        self.gate = OPEN
        """What the page was told last."""
        self.said = ""
        self.figures = TaskFigures()
