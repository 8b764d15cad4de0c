"""For programs that know of giveway: a thread with a task of its own, and who else is there."""

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
    """Whether the calling thread has a task from now on; a warning says why it has none."""
    problem: PageError | None = None
    try:
        lib = page.library()
        hooked = bool(lib.gw_hooked())
        if not hooked and device != "cpu":
            _warn(_NOT_HOOKED)
            return False  # a page for each GPU, and only the hook knows which
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
    # Where the block is: below are this function, _enter, task and contextlib's __enter__.
    warnings.warn(f"giveway: {text}", RuntimeWarning, stacklevel=5)


@contextlib.contextmanager
def task(
    priority: int = 0, name: str | None = None, *, device: str | None = None
) -> Iterator[Task | None]:
    """Gives the calling thread a task of its own while the block runs; blocks nest.

    What the thread launches inside is gated by ``priority`` (-1000 to 1000, bigger is more urgent)
    instead of its process's. It concerns this thread alone, so the block must be left by the thread
    that entered it (not across an ``await`` that may resume elsewhere).

    Yields the task as it is at the start. A thread joins a GPU when it first uses it, so there it
    may be None; `current` tells later. It is None as well where the thread runs ungated: where the
    page cannot be used, which a RuntimeWarning says, the block runs all the same.

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
    """The task that the calling thread's launches belong to, as it is now.

    None before the process's first launch, and where it runs ungated. On a machine with several
    GPUs, the one on the thread's current GPU.
    """
    lib = page.library()
    info = page.TaskInfo()
    handle = lib.gw_peek()
    if not handle or lib.gw_task_describe(handle, ctypes.byref(info)) != 0:
        return None
    return page.as_task(info)


def tasks(device: str | None = None) -> list[Task]:
    """All live tasks of this user on a device (by default the one this program runs on).

    Of all GPUs, where that is ``cuda``. Empty where nothing has run on it.

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
