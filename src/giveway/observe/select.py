"""Selects a task by its process id and, optionally, its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from giveway.errors import NoSuchTaskError, UsageError


class Selectable(Protocol):
    """The properties by which a task can be selected."""

    @property
    def device(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def is_thread(self) -> bool: ...


T = TypeVar("T", bound=Selectable)


def choose(tasks: Iterable[T], pid: int, name: str | None) -> T:
    """The task of a process with that name; without a name, the process's own task.

    Raises:
        NoSuchTaskError: no task matches.
        UsageError: several tasks match.
    """
    of_process = [task for task in tasks if task.pid == pid]
    if name is None:
        fit = [task for task in of_process if not task.is_thread] or of_process
    else:
        fit = [task for task in of_process if task.name == name]
    if not fit:
        problem = f"process {pid} has no task" + ("" if name is None else f" named {name!r}")
        raise NoSuchTaskError(f"{problem}: giveway ps lists all tasks")
    if len(fit) > 1:
        names = ", ".join(sorted(f"{task.name} on {task.device}" for task in fit))
        raise UsageError(f"process {pid} has several such tasks ({names}): add --name or --device")
    return fit[0]
