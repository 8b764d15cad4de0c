"""The gate page of a device, through libgiveway.

This module never reads or writes the page itself: other processes read it concurrently, and Python
cannot write a word atomically.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

from giveway.errors import NoSuchTaskError, PageError, UsageError
from giveway.page.library import (
    ATTRIBUTES_SIZE,
    NO_TASK,
    ROWS,
    DeviceMemory,
    TaskInfo,
    error,
    library,
)
from giveway.page.parking import Parking, Refusal, Stage
from giveway.sched.task import GATES, SLACKS, Slack, State, Task

_PATH_SIZE = 4096
_PARKING: Final[dict[int, State]] = {
    Stage.DRAINS: "parking",
    Stage.SAVES: "parking",
    Stage.PARKED: "parked",
    Stage.RESTORES: "unparking",
}
_PAGE_PREFIXES = {"cuda": "GPU-", "hip": "GPU-"}


def page_path(device: str) -> Path:
    """The path of a device's page, which need not exist.

    Raises:
        PageError: the device name cannot be part of a file name.
    """
    buffer = ctypes.create_string_buffer(_PATH_SIZE)
    code = library().gw_page_path(device.encode(), buffer, _PATH_SIZE)
    if code != 0:
        raise error(code, device)
    return Path(buffer.value.decode(errors="surrogateescape"))


def page_names(device: str | None = None) -> list[str]:
    """The names of all existing pages: the devices that this user's programs have run on.

    Args:
        device: only the pages of this device, which may have several: one for each GPU.

    Raises:
        PageError: the folder of the pages cannot be read.
    """
    folder = page_path("any").parent
    try:
        files = os.listdir(folder)
    except FileNotFoundError:
        files = []
    except OSError as problem:
        owner = _owner(folder) if isinstance(problem, PermissionError) else ""
        raise PageError(f"{folder} cannot be read: {problem.strerror}{owner}") from problem
    names = sorted(file.removesuffix(".page") for file in files if file.endswith(".page"))
    if device is None:
        return names
    prefix = _PAGE_PREFIXES.get(device)
    return [name for name in names if (name.startswith(prefix) if prefix else name == device)]


def _owner(folder: Path) -> str:
    try:
        return f"; it belongs to {folder.owner()}"
    except (OSError, KeyError):
        return ""


class Page:
    """The page of one device, for an observer."""

    def __init__(self, device: str, handle: ctypes.c_void_p) -> None:
        self.device = device
        self.path = page_path(device)
        self._handle = handle

    @classmethod
    def open(cls, device: str = "cpu", *, create: bool = False) -> Page:
        """Maps the page; with ``create``, makes a missing page first.

        Raises:
            PageError: ``code == NO_PAGE``: the page does not exist; otherwise why it cannot be
                used.
        """
        handle = ctypes.c_void_p()
        path = page_path(device)
        code = library().gw_page_open(device.encode(), int(create), ctypes.byref(handle))
        if code != 0:
            raise error(code, str(path))
        return cls(device, handle)

    def check(self) -> None:
        """Checks that the page is valid.

        Raises:
            PageError: the page is not valid; the text has the reason.
        """
        code = library().gw_page_check(self._handle)
        if code != 0:
            raise error(code, str(self.path))

    def tasks(self) -> list[Task]:
        """The live tasks, in the order of their rows; rows of dead tasks are freed first.

        Raises:
            PageError: the page is not valid.
        """
        return [as_task(info) for info in self._infos()]

    def _infos(self) -> list[TaskInfo]:
        infos = (TaskInfo * ROWS)()
        count = library().gw_tasks(self._handle, infos, ROWS)
        if count < 0:
            raise error(count, str(self.path))
        return infos[:count]

    def set_priority(self, ticket: int, priority: int) -> None:
        """Sets the priority of a task, in force from its next launch.

        Raises:
            NoSuchTaskError: the task has ended.
            PageError: priority out of range, or the page is not valid.
        """
        self._check_task(ticket, library().gw_set_priority(self._handle, ticket, priority))

    def attributes(self, ticket: int) -> str:
        """Reads the attributes of a task, as text in the format of `giveway.sched.attributes`.

        Raises:
            NoSuchTaskError: the task has ended.
            PageError: the page is not valid.
        """
        text = ctypes.create_string_buffer(ATTRIBUTES_SIZE)
        self._check_task(
            ticket, library().gw_attributes(self._handle, ticket, text, ATTRIBUTES_SIZE)
        )
        return text.value.decode(errors="replace")

    def set_attributes(self, ticket: int, text: str) -> None:
        """Replaces the attributes of a task by ``text``.

        Raises:
            UsageError: the text is longer than 247 bytes.
            NoSuchTaskError: the task has ended.
            PageError: the page is not valid.
        """
        encoded = text.encode()
        if len(encoded) >= ATTRIBUTES_SIZE:
            raise UsageError(f"{len(encoded)} bytes of attributes are too many: 247 at most")
        self._check_task(ticket, library().gw_set_attributes(self._handle, ticket, encoded))

    def set_memory_limit(self, ticket: int, size: int) -> None:
        """Limits the device memory of a task, from its next allocation on; 0: no limit.

        Raises:
            NoSuchTaskError: the task has ended.
            PageError: the page is not valid.
        """
        self._check_task(ticket, library().gw_set_memory_limit(self._handle, ticket, size))

    def memory(self) -> tuple[int, int]:
        """The bytes that the device has, and the most that a program's context took; 0: unknown.

        Raises:
            PageError: the page is not valid.
        """
        memory = DeviceMemory()
        code = library().gw_device_memory(self._handle, ctypes.byref(memory))
        if code != 0:
            raise error(code, str(self.path))
        return memory.total, memory.context

    def park(self, ticket: int) -> None:
        """Asks the task's process to move its device memory to host memory; `parking` tells how far
        it has come.

        Raises:
            NoSuchTaskError: the task has ended.
            PageError: the page is not valid.
        """
        self._check_task(ticket, library().gw_park(self._handle, ticket, 0))

    def unpark(self, ticket: int) -> None:
        """Asks the task's process to move its memory back, or not to park; raises as `park`."""
        self._check_task(ticket, library().gw_unpark(self._handle, ticket))

    def parking(self, ticket: int) -> Parking:
        """How far the last request to park the task, or to bring it back, has come.

        Raises:
            NoSuchTaskError: the task has ended.
            PageError: the page is not valid.
        """
        for info in self._infos():
            if info.ticket == ticket:
                return Parking(
                    bool(info.can_park),
                    Stage(info.parked),
                    Refusal(info.park_error),
                    info.park_number,
                    info.park_room,
                    info.memory,
                )
        raise NoSuchTaskError(f"task {ticket} on {self.device} has ended")

    def decider(self) -> int:
        """The pid of the daemon that decides about the gates; 0: the gates follow priorities."""
        return int(library().gw_decider(self._handle))

    @property
    def handle(self) -> ctypes.c_void_p:
        """The ``gw_page`` handle, for other modules of giveway."""
        return self._handle

    def _check_task(self, ticket: int, code: int) -> None:
        if code == NO_TASK:
            raise NoSuchTaskError(f"task {ticket} on {self.device} has ended")
        if code != 0:
            raise error(code, str(self.path))


def _seconds(page_ns: int) -> float:
    """Converts a time on a page to seconds on the monotonic clock of this process, which may be in
    another time namespace; 0, for never, stays 0."""
    return (page_ns + library().gw_clock_ahead()) / 1e9 if page_ns else 0.0


_LEAST_SPEED: Final = 1000
"""In millionths: a task that stands still counts as slowed down a thousandfold."""


def slack(info: TaskInfo) -> Slack:
    """How the slowdown of the task compares with its tolerance."""
    return SLACKS[info.slack_verdict] if info.slack_verdict < len(SLACKS) else "unknown"


def slowdown(info: TaskInfo) -> float | None:
    """By how many percent less urgent tasks slow the task down while they run beside it; None: not
    known."""
    return 100 * (1e6 / max(info.slack_speed - 1, _LEAST_SPEED) - 1) if info.slack_speed else None


def as_task(info: TaskInfo) -> Task:
    """Converts a ctypes snapshot to a `Task`."""
    state: State = "idle"
    if info.parked:
        state = _PARKING.get(info.parked, "parked")
    elif info.active:
        state = "held" if info.gate_closed else "active"
    counts = bool(info.counts_memory and not info.is_thread)  # a process counts as a whole
    on_host = info.parked in (Stage.PARKED, Stage.RESTORES)
    return Task(
        ticket=info.ticket,
        device=info.device.decode(),
        pid=info.pid,
        name=info.name.decode(errors="replace"),
        priority=info.priority,
        state=state,
        is_thread=bool(info.is_thread),
        launches=info.launches,
        operators=info.operators,
        holds=info.held,
        held_seconds=info.held_ns / 1e9,
        preemptions=info.preemptions,
        joined_seconds=_seconds(info.joined_ns),
        closed_seconds=_seconds(info.closed_ns),
        stopped_seconds=_seconds(info.stopped_ns),
        pid_namespace=info.pid_namespace,
        job=info.job.decode(errors="replace"),
        gate=GATES[info.gate_kind] if info.gate_kind < len(GATES) else "launches only",
        cores=info.width or None,
        memory=(0 if on_host else info.memory) if counts else None,
        memory_host=(info.memory if on_host else 0) if counts else None,
        memory_peak=info.memory_peak if counts else None,
        memory_limit=info.memory_limit or None,
        memory_reserve=info.memory_reserve or None,
        tolerance=info.slack_tolerance / 1e4,
        slowdown=slowdown(info),
        slack=slack(info),
        credit_seconds=info.slack_credit_ns / 1e9,
        together_seconds=info.beside_ns / 1e9,
        contended_seconds=info.contended_ns / 1e9,
    )
