"""The gate page of a device, through libgiveway.

Nothing here reads or writes the page itself: other processes read it at the same moment, and
Python cannot write a word at once. Nor may anything in a process open the page file by other
means: closing such a descriptor would drop the record locks that show that its tasks are alive.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from giveway.errors import NoSuchTaskError, PageError, UsageError
from giveway.page.library import ATTRIBUTES_SIZE, NO_TASK, ROWS, TaskInfo, error, library
from giveway.sched.task import State, Task

_PATH_SIZE = 4096
_PAGE_PREFIXES = {"cuda": "GPU-", "hip": "GPU-"}


def page_path(device: str) -> Path:
    """Where the page of a device is, or would be.

    Raises:
        PageError: the device name cannot be part of a file name.
    """
    buffer = ctypes.create_string_buffer(_PATH_SIZE)
    code = library().gw_page_path(device.encode(), buffer, _PATH_SIZE)
    if code != 0:
        raise error(code, device)
    return Path(buffer.value.decode(errors="surrogateescape"))


def page_names(device: str | None = None) -> list[str]:
    """The names of the pages there are: what this user's programs have run on.

    Args:
        device: only those of this device, which may have several: a page for each GPU.

    Raises:
        PageError: the folder of the pages cannot be read.
    """
    folder = page_path("any").parent
    try:
        files = os.listdir(folder)
    except FileNotFoundError:
        files = []
    except OSError as problem:
        raise PageError(f"{folder} cannot be read: {problem.strerror}") from problem
    names = sorted(file.removesuffix(".page") for file in files if file.endswith(".page"))
    if device is None:
        return names
    prefix = _PAGE_PREFIXES.get(device)
    return [name for name in names if (name.startswith(prefix) if prefix else name == device)]


class Page:
    """The page of one device, as an observer sees it."""

    def __init__(self, device: str, handle: ctypes.c_void_p) -> None:
        self.device = device
        self.path = page_path(device)
        self._handle = handle

    @classmethod
    def open(cls, device: str = "cpu", *, create: bool = False) -> Page:
        """Maps the page, making it first if asked to.

        Raises:
            PageError: with ``code == NO_PAGE`` where there is none, else why it cannot be used.
        """
        handle = ctypes.c_void_p()
        path = page_path(device)
        code = library().gw_page_open(device.encode(), int(create), ctypes.byref(handle))
        if code != 0:
            raise error(code, str(path))
        return cls(device, handle)

    def check(self) -> None:
        """Looks whether the page can be trusted as it is now.

        Raises:
            PageError: why it cannot.
        """
        code = library().gw_page_check(self._handle)
        if code != 0:
            raise error(code, str(self.path))

    def tasks(self) -> list[Task]:
        """The live tasks, in the order of their rows; dead ones are reaped first.

        Raises:
            PageError: the page cannot be trusted.
        """
        infos = (TaskInfo * ROWS)()
        count = library().gw_tasks(self._handle, infos, ROWS)
        if count < 0:
            raise error(count, str(self.path))
        return [as_task(info) for info in infos[:count]]

    def set_priority(self, ticket: int, priority: int) -> None:
        """Gives a task another priority; in force from its next launch.

        Raises:
            NoSuchTaskError: the task has ended.
            PageError: priority out of range, or the page cannot be trusted.
        """
        self._about(ticket, library().gw_set_priority(self._handle, ticket, priority))

    def attributes(self, ticket: int) -> str:
        """What has been said about a task for policies, as `giveway.sched.attributes` writes it.

        Raises:
            NoSuchTaskError: the task has ended.
            PageError: the page cannot be trusted.
        """
        text = ctypes.create_string_buffer(ATTRIBUTES_SIZE)
        self._about(ticket, library().gw_attributes(self._handle, ticket, text, ATTRIBUTES_SIZE))
        return text.value.decode(errors="replace")

    def set_attributes(self, ticket: int, text: str) -> None:
        """Replaces what has been said about a task for policies.

        Raises:
            UsageError: it is more than 247 bytes.
            NoSuchTaskError: the task has ended.
            PageError: the page cannot be trusted.
        """
        encoded = text.encode()
        if len(encoded) >= ATTRIBUTES_SIZE:
            raise UsageError(f"{len(encoded)} bytes of attributes are too many: 247 at most")
        self._about(ticket, library().gw_set_attributes(self._handle, ticket, encoded))

    def decider(self) -> int:
        """The pid of the daemon that decides about the gates; 0: priorities do."""
        return int(library().gw_decider(self._handle))

    @property
    def handle(self) -> ctypes.c_void_p:
        """For other parts of giveway: the ``gw_page``."""
        return self._handle

    def _about(self, ticket: int, code: int) -> None:
        if code == NO_TASK:
            raise NoSuchTaskError(f"task {ticket} on {self.device} has ended")
        if code != 0:
            raise error(code, str(self.path))


def as_task(info: TaskInfo) -> Task:
    """A ctypes snapshot as the value that everything else works with."""
    state: State = "idle"
    if info.active:
        state = "held" if info.gate_closed else "active"
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
        joined_seconds=info.joined_ns / 1e9,
        closed_seconds=info.closed_ns / 1e9,
        stopped_seconds=info.stopped_ns / 1e9,
    )
