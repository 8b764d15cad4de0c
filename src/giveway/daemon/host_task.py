"""The daemon's record of one task."""

from __future__ import annotations

import os
from typing import Any, Final

from giveway.daemon.figures import TaskFigures
from giveway.page.decider import Gate
from giveway.sched.task import Slack, TaskId

OPEN: Final = Gate.OPEN
CLOSED: Final = Gate.CLOSED
"""Constants, because a lookup in the enum takes as long as writing a gate."""


class SlackOf:
    """What the log has said about the slack of a task."""

    __slots__ = (
        "blocks",
        "changes",
        "contended_ns",
        "fields",
        "gap_ns",
        "last",
        "logged",
        "logged_ns",
        "together_ns",
    )

    def __init__(self) -> None:
        self.logged: Slack = ""
        self.logged_ns = -(10**18)
        self.gap_ns = 0
        """The least time from the last event to the next."""
        self.fields: dict[str, Any] = {}
        """Those of the last event."""
        self.last: Slack = ""
        """The slack at the last look."""
        self.changes = 0
        """Of the slack, since the last event."""
        self.blocks = 0
        """How often gates opened for the slack since the last event."""
        self.together_ns = self.contended_ns = 0
        """The counts of the page at the last event."""


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
        "row",
        "slack",
        "told",
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
        self.told = OPEN
        """The gate according to the log, which leaves out openings and closings for slack."""
        self.slack = SlackOf()
        self.figures = TaskFigures()


def read_nice(pid: int) -> int:
    """The nice value of a process; 0 if the process is gone."""
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        return 0
