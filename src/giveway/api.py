"""For programs that know of giveway: a thread with a task of its own, and who else is there."""

from __future__ import annotations

import contextlib
import ctypes
import os
import warnings
from collections.abc import Iterator

from giveway import page
from giveway.errors import PageError, UsageError
from giveway.task import PRIORITY_MAX, PRIORITY_MIN, Task


def _device(device: str | None) -> str:
    return device or os.environ.get("GIVEWAY_DEVICE") or "cpu"


def _describe(handle: int | None, device: str) -> Task | None:
    info = page.TaskInfo()
    if not handle or page.library().gw_task_describe(handle, ctypes.byref(info)) != 0:
        return None
    return page.as_task(info, device)


@contextlib.contextmanager
def task(
    priority: int = 0, name: str | None = None, *, device: str | None = None
) -> Iterator[Task | None]:
    """Gives the calling thread a task of its own while the block runs; blocks nest.

    What the thread launches inside is gated by ``priority`` (-1000 to 1000, bigger is more urgent)
    instead of its process's. It concerns this thread alone, so the block must be left by the thread
    that entered it (not across an ``await`` that may resume elsewhere).

    Yields the task as it is at the start, or None where it runs ungated: where the page cannot be
    used, which a RuntimeWarning says, the block runs all the same.

    Raises:
        UsageError: priority out of range.
    """
    if not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise UsageError(f"priority {priority} is outside {PRIORITY_MIN}…{PRIORITY_MAX}")
    on = _device(device)
    handle = ctypes.c_void_p()
    try:
        lib = page.library()
        encoded = name.encode() if name else None
        code = lib.gw_enter(on.encode(), encoded, priority, ctypes.byref(handle))
        problem = None if code == 0 else page.error(code, str(page.page_path(on)))
    except PageError as error:
        problem = error
    if problem is not None:
        warnings.warn(f"giveway: running ungated: {problem}", RuntimeWarning, stacklevel=3)
        yield None
        return
    if not lib.gw_hooked():
        warnings.warn(
            "giveway: this program was not started by 'giveway run', so its launches are not gated",
            RuntimeWarning,
            stacklevel=3,
        )
    try:
        yield _describe(handle.value, on)
    finally:
        lib.gw_exit(handle)


def current() -> Task | None:
    """The task that the calling thread's launches belong to, as it is now.

    None before the process's first launch, and where it runs ungated.
    """
    return _describe(page.library().gw_peek(), _device(None))


def tasks(device: str | None = None) -> list[Task]:
    """All live tasks of this user on a device (by default the one this program runs on).

    Empty where nothing has run on it.

    Raises:
        PageError: the device's page cannot be used.
    """
    try:
        return page.Page.open(_device(device)).tasks()
    except PageError as error:
        if error.code == page.NO_PAGE:
            return []
        raise
