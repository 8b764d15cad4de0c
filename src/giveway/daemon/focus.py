"""Says which tasks belong to the window that the user looks at, on X11.

Runs in a thread beside the daemon and sets the attribute ``focused``, as ``giveway set`` would: a
window system that hangs keeps no decision waiting.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Iterable
from typing import Any, Final

from giveway.errors import GivewayError
from giveway.page.observer import Page, page_names
from giveway.sched import attributes

LOOK_SECONDS: Final = 1.0
"""How soon a program that starts while its window has the focus is noticed."""


class Marks:
    """Which tasks are focused because of us; what users have said themselves is left alone."""

    def __init__(self) -> None:
        self._ours: set[tuple[str, int]] = set()

    def update(self, focused: int | None) -> None:
        """Marks the tasks of the process ``focused`` and of what it has started, and no others."""
        family: dict[int, bool] = {}
        for device in page_names():
            with contextlib.suppress(GivewayError):
                page = Page.open(device)
                for task in page.tasks():
                    pid = task.pid
                    if pid not in family:
                        family[pid] = focused is not None and focused in _line(pid)
                    with contextlib.suppress(GivewayError):
                        self._mark(page, task.ticket, family[pid])

    def _mark(self, page: Page, ticket: int, focused: bool) -> None:
        key = (page.device, ticket)
        if focused is (key in self._ours):
            return
        said = page.attributes(ticket)
        if focused and "focused=" in said:
            return
        (self._ours.add if focused else self._ours.discard)(key)
        page.set_attributes(ticket, attributes.write(said, {"focused": "yes" if focused else None}))


def _line(pid: int) -> Iterable[int]:
    """A process and those that it comes from."""
    import psutil

    try:
        process = psutil.Process(pid)
        return [pid, *(parent.pid for parent in process.parents())]
    except psutil.Error:
        return [pid]


def missing() -> str | None:
    """Why nobody can say which window has the focus; None: somebody can."""
    if not os.environ.get("DISPLAY"):
        return "there is no X11 display"
    try:
        import Xlib.display  # noqa: F401
    except ImportError:
        return "python-xlib is not installed (pip install 'giveway[window]')"
    return None


class Watcher:
    """Watches until `stop`, or until the X server goes away."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="focus", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes all marks back."""
        self._stopping.set()
        self._thread.join(timeout=2 * LOOK_SECONDS)

    def _run(self) -> None:
        from Xlib import X, display, error

        marks = Marks()
        gone = (OSError, error.DisplayError, error.ConnectionClosedError)
        with contextlib.suppress(*gone):
            server = display.Display()
            server.set_error_handler(lambda *_: None)
            root = server.screen().root
            root.change_attributes(event_mask=X.PropertyChangeMask)
            while not self._stopping.is_set():
                marks.update(_focused(server, root))
                select.select([server.fileno()], [], [], LOOK_SECONDS)
                while server.pending_events():
                    server.next_event()
        marks.update(None)


def _focused(server: Any, root: Any) -> int | None:
    """The process of the active window, as window managers and programs say (EWMH)."""
    from Xlib import X, error

    try:
        active = root.get_full_property(server.intern_atom("_NET_ACTIVE_WINDOW"), X.AnyPropertyType)
        if active is None or not active.value or not active.value[0]:
            return None
        window = server.create_resource_object("window", int(active.value[0]))
        pid = window.get_full_property(server.intern_atom("_NET_WM_PID"), X.AnyPropertyType)
    except error.XError:
        return None  # it has been closed just now
    return int(pid.value[0]) if pid is not None and pid.value else None
