"""The API for programs: a task for a single thread, and the tasks of a device."""

from __future__ import annotations

import contextlib
import ctypes
import os
import warnings
from collections.abc import Iterator

from giveway import page
from giveway.errors import PageError, UsageError
from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN, Task

_NOT_HOOKED = "this program was not started by 'giveway run', so its launches are not gated"


def _device(device: str | None) -> str:
    return device or os.environ.get("GIVEWAY_DEVICE") or "cpu"


def _enter(device: str, name: str | None, priority: int, handle: ctypes.c_void_p) -> bool:
    """Gives the calling thread a task; returns False, after a warning, if that is impossible."""
    problem: PageError | None = None
    try:
        lib = page.library()
        hooked = bool(lib.gw_hooked())
        if not hooked and device != "cpu":
            _warn(_NOT_HOOKED)
            return False  # each GPU has a page, and only the hook knows which GPU is used
        encoded = name.encode() if name else None
        code = lib.gw_enter(device.encode(), encoded, priority, ctypes.byref(handle))
        if code != 0:
            problem = page.error(code, str(page.page_path(device)))
        elif not hooked:
            _warn(_NOT_HOOKED)
    except PageError as error:
        problem = error
    if problem is not None:
        _warn(f"running ungated: {problem}")
    return problem is None


def _warn(text: str) -> None:
    # The level of the with block: above it are this function, _enter, task and __enter__.
    warnings.warn(f"giveway: {text}", RuntimeWarning, stacklevel=5)


@contextlib.contextmanager
def task(
    priority: int = 0, name: str | None = None, *, device: str | None = None
) -> Iterator[Task | None]:
    """Gives the calling thread a task of its own while the block runs; blocks nest.

    Launches of the thread inside the block are gated by ``priority`` (-1000 to 1000, bigger is more
    urgent) instead of the priority of the process. The task is thread-local: the thread that
    entered the block must leave it. An ``await`` inside the block may resume on another thread and
    break this rule.

    Yields a snapshot of the task at the start. A thread joins a GPU when it first uses it, so on a
    GPU the snapshot may be None; `current` returns the task later. It is also None where the thread
    runs ungated: if the page cannot be used, a RuntimeWarning says why and the block still runs.

    Raises:
        UsageError: priority out of range.
    """
    if not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise UsageError(f"priority {priority} is outside {PRIORITY_MIN}…{PRIORITY_MAX}")
    handle = ctypes.c_void_p()
    if not _enter(_device(device), name, priority, handle):
        yield None
        return
    try:
        yield current()
    finally:
        page.library().gw_exit(handle)


def current() -> Task | None:
    """A snapshot of the task that launches of the calling thread belong to.

    None before the first launch of the process, and where the process runs ungated. On a machine
    with several GPUs, the task on the current GPU of the thread.
    """
    lib = page.library()
    info = page.TaskInfo()
    handle = lib.gw_peek()
    if not handle or lib.gw_task_describe(handle, ctypes.byref(info)) != 0:
        return None
    return page.as_task(info)


def tasks(device: str | None = None) -> list[Task]:
    """All live tasks of this user on a device (default: the device of this program).

    ``cuda`` means all GPUs. The list is empty if no program has run on the device.

    Raises:
        PageError: the device's page cannot be used.
    """
    found: list[Task] = []
    for name in page.page_names(_device(device)):
        try:
            found += page.Page.open(name).tasks()
        except PageError as error:
            if error.code != page.NO_PAGE:
                raise
    return found
