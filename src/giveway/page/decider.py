"""The gates of one page, for the one process that decides about them.

As in `giveway.page`, all reads and writes are libgiveway's.
"""

from __future__ import annotations

import ctypes
import functools
from array import array
from enum import IntEnum, IntFlag
from typing import NamedTuple

from giveway.errors import PageError
from giveway.page.library import ROWS, TaskInfo, error, library
from giveway.page.observer import Page


class Flags(IntFlag):
    """``enum gw_change_flags``, in the order in which things happened."""

    LEFT = 1
    JOINED = 2
    CHANGED = 4
    BECAME_IDLE = 8
    BECAME_ACTIVE = 16


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
        ("reserved", ctypes.c_uint32),
    )


class Change(NamedTuple):
    """What is different in one row since the last look."""

    ticket: int
    left: int
    """The ticket of the task that left, where `Flags.LEFT` says so."""
    row: int
    flags: int
    priority: int
    """The one that counts: the task's own, or a higher one that it was lent."""


@functools.cache
def _library() -> ctypes.CDLL:
    lib = library()
    pointer = ctypes.c_void_p
    for name, arguments in (
        ("gw_decider_take", (pointer,)),
        ("gw_decider_beat", (pointer,)),
        ("gw_events_fd", (pointer, ctypes.POINTER(ctypes.c_int))),
        ("gw_changes", (pointer, ctypes.POINTER(ChangeStruct), ctypes.c_int)),
        ("gw_decide", (pointer, pointer, pointer, pointer, ctypes.c_int)),
        ("gw_decide_only", (pointer, pointer, pointer, ctypes.c_int)),
        (
            "gw_task_at",
            (pointer, ctypes.c_uint32, ctypes.c_uint64, ctypes.POINTER(TaskInfo)),
        ),
    ):
        function = getattr(lib, name)
        function.restype = ctypes.c_int
        function.argtypes = arguments
    lib.gw_decider_leave.restype = None
    lib.gw_decider_leave.argtypes = (pointer,)
    return lib


class Gates:
    """A page whose gates this process decides about until `leave`, or until it falls silent."""

    def __init__(self, of: Page) -> None:
        """Takes the page over; its gates stay as they are.

        Raises:
            PageError: with ``code == TAKEN`` where another process decides, else why not.
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
        """Readable after transitions, until `changes` has been called."""
        return self._descriptor

    def beat(self) -> None:
        """Says that this process lives; due every 100 ms.

        Raises:
            PageError: the page cannot be trusted any more, or its lock not be had just now.
        """
        self._check(self._lib.gw_decider_beat(self._handle))

    def changes(self) -> list[Change]:
        """What has changed since the last call, one change for each row at most.

        Raises:
            PageError: as `beat`.
        """
        count = self._check(self._lib.gw_changes(self._handle, self._changes, ROWS))
        return [Change(c.ticket, c.left, c.row, c.flags, c.priority) for c in self._changes[:count]]

    def info(self, row: int, ticket: int) -> TaskInfo | None:
        """The task of that row, if it is still there; overwritten by the next call."""
        code = self._lib.gw_task_at(self._handle, row, ticket, ctypes.byref(self._info))
        return self._info if code == 0 else None

    def decide(self, tickets: list[int], rows: list[int], gates: list[Gate]) -> None:
        """Sets the gates of tasks; those that have left are passed over.

        Raises:
            PageError: as `beat`.
        """
        # Arrays, because filling ctypes structures one by one takes too long with many tasks.
        arrays = (array("Q", tickets), array("I", rows), array("I", gates))
        addresses = (each.buffer_info()[0] for each in arrays)
        self._check(self._lib.gw_decide(self._handle, *addresses, len(tickets)))

    def only(self, tickets: list[int], rows: list[int]) -> None:
        """Opens the gates of these tasks, and closes those of all others that `changes` has told
        of; paused ones stay closed.

        Raises:
            PageError: as `beat`.
        """
        ours, theirs = array("Q", tickets), array("I", rows)
        addresses = ours.buffer_info()[0], theirs.buffer_info()[0]
        self._check(self._lib.gw_decide_only(self._handle, *addresses, len(tickets)))

    def leave(self) -> None:
        """Leaves the gates to priorities again."""
        self._lib.gw_decider_leave(self._handle)
