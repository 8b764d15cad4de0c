"""The gates of one page, for the process that decides about them.

As in `giveway.page`, libgiveway does all reads and writes of the page.
"""

from __future__ import annotations

import ctypes
import functools
from array import array
from enum import IntEnum, IntFlag
from typing import NamedTuple

from giveway.errors import PageError
from giveway.page.library import ROWS, TaskInfo, declare, error, library
from giveway.page.observer import Page


class Flags(IntFlag):
    """``enum gw_change_flags``, in the order of the changes."""

    LEFT = 1
    JOINED = 2
    CHANGED = 4
    BECAME_IDLE = 8
    BECAME_ACTIVE = 16
    SLACK_CHANGED = 32


class Gate(IntEnum):
    """``enum gw_gate``."""

    OPEN = 0
    CLOSED = 1
    PAUSED = 2
    """Closed, and ``max_wait`` does not open it."""


class ChangeStruct(ctypes.Structure):
    """``struct gw_change`` of giveway.h."""

    _fields_ = (
        ("ticket", ctypes.c_uint64),
        ("left", ctypes.c_uint64),
        ("row", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("priority", ctypes.c_int32),
        ("shares", ctypes.c_uint32),
    )


class Change(NamedTuple):
    """The changes of one row since the last read."""

    ticket: int
    left: int
    """The ticket of the task that left; valid with `Flags.LEFT`."""
    row: int
    flags: int
    priority: int
    """The effective priority: the task's own, or a higher one by priority inheritance."""
    shares: int = 0
    """Whether the task wants less urgent tasks to run beside it."""


@functools.cache
def _library() -> ctypes.CDLL:
    lib = library()
    number, pointer = ctypes.c_int, ctypes.c_void_p
    declare(
        lib,
        ("gw_decider_take", number, (pointer,)),
        ("gw_decider_beat", number, (pointer,)),
        ("gw_decider_leave", None, (pointer,)),
        ("gw_events_fd", number, (pointer, ctypes.POINTER(number))),
        ("gw_changes", number, (pointer, ctypes.POINTER(ChangeStruct), number)),
        ("gw_decide", number, (pointer, pointer, pointer, pointer, number)),
        ("gw_decide_only", number, (pointer, pointer, pointer, number)),
        (
            "gw_task_at",
            number,
            (pointer, ctypes.c_uint32, ctypes.c_uint64, ctypes.POINTER(TaskInfo)),
        ),
    )
    return lib


class Gates:
    """A page whose gates this process decides about, until `leave` or until its heartbeat stops."""

    def __init__(self, of: Page) -> None:
        """Takes over the page; the gates keep their states.

        Raises:
            PageError: ``code == TAKEN``: another process decides; otherwise why the page cannot be
                used.
        """
        self.page = of
        self.device = of.device
        self._lib = _library()
        self._handle = of.handle
        self._changes = (ChangeStruct * ROWS)()
        self._info = TaskInfo()
        self._check(self._lib.gw_decider_take(self._handle))
        descriptor = ctypes.c_int(-1)
        try:
            self._check(self._lib.gw_events_fd(self._handle, ctypes.byref(descriptor)))
        except PageError:
            self.leave()
            raise
        self._descriptor = descriptor.value

    def _check(self, code: int) -> int:
        if code < 0:
            raise error(code, str(self.page.path))
        return code

    def fileno(self) -> int:
        """A descriptor that is readable after changes, until `changes` is called."""
        return self._descriptor

    def beat(self) -> None:
        """Writes the heartbeat of this process; due every 100 ms.

        Raises:
            PageError: the page is no longer valid, or its lock is not available at the moment.
        """
        self._check(self._lib.gw_decider_beat(self._handle))

    def changes(self) -> list[Change]:
        """Reads the changes since the last call, at most one for each row.

        Raises:
            PageError: as `beat`.
        """
        count = self._check(self._lib.gw_changes(self._handle, self._changes, ROWS))
        changes = self._changes[:count]
        return [Change(c.ticket, c.left, c.row, c.flags, c.priority, c.shares) for c in changes]

    def info(self, row: int, ticket: int) -> TaskInfo | None:
        """The task of a row, or None if it has left. The next call overwrites the result."""
        code = self._lib.gw_task_at(self._handle, row, ticket, ctypes.byref(self._info))
        return self._info if code == 0 else None

    def decide(self, tickets: list[int], rows: list[int], gates: list[Gate]) -> None:
        """Sets the gates of tasks; tasks that have left are skipped.

        Raises:
            PageError: as `beat`.
        """
        # Arrays, because filling ctypes structures one by one is too slow with many tasks.
        arrays = (array("Q", tickets), array("I", rows), array("I", gates))
        addresses = (each.buffer_info()[0] for each in arrays)
        self._check(self._lib.gw_decide(self._handle, *addresses, len(tickets)))

    def only(self, tickets: list[int], rows: list[int]) -> None:
        """Opens the gates of these tasks, and closes those of all other tasks that `changes` has
        returned; paused gates stay closed.

        Raises:
            PageError: as `beat`.
        """
        ours, theirs = array("Q", tickets), array("I", rows)
        addresses = ours.buffer_info()[0], theirs.buffer_info()[0]
        self._check(self._lib.gw_decide_only(self._handle, *addresses, len(tickets)))

    def leave(self) -> None:
        """Releases the page: from now on the gates follow the priorities."""
        self._lib.gw_decider_leave(self._handle)
