"""Which task users mean, who know a pid and perhaps a name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from giveway.errors import NoSuchTaskError, UsageError


class Known(Protocol):
    """What a task is told from others by."""

    @property
    def device(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def is_thread(self) -> bool: ...


T = TypeVar("T", bound=Known)


def choose(tasks: Iterable[T], pid: int, name: str | None) -> T:
    """The one task that is meant: of that name, else the process's own.

    Raises:
        NoSuchTaskError: nothing fits.
        UsageError: more than one does.
    """
    of_process = [task for task in tasks if task.pid == pid]
    if name is None:
        fit = [task for task in of_process if not task.is_thread] or of_process
    else:
        fit = [task for task in of_process if task.name == name]
    if not fit:
        what = f"process {pid} has no task" + ("" if name is None else f" named {name!r}")
        raise NoSuchTaskError(f"{what}: giveway ps lists the tasks there are")
    if len(fit) > 1:
        names = ", ".join(sorted(f"{task.name} on {task.device}" for task in fit))
        raise UsageError(f"process {pid} has several such tasks ({names}): say --name or --device")
    return fit[0]
