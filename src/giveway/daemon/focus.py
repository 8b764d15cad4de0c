"""Sets the attribute ``focused`` of the tasks whose window has the focus, on X11.

A thread beside the daemon sets the attribute, in the way ``giveway set`` does. A window system that
hangs therefore delays no decision.
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

POLL_SECONDS: Final = 1.0
"""The delay until a program is noticed that starts while its window has the focus."""


class Marks:
    """The tasks that this module has marked as focused. Values set by users stay as they are."""

    def __init__(self) -> None:
        self._ours: set[tuple[str, int]] = set()

    def update(self, focused: int | None) -> None:
        """Marks the tasks of the process ``focused`` and of its descendants, and no others."""
        family: dict[int, bool] = {}
        for device in page_names():
            with contextlib.suppress(GivewayError):
                page = Page.open(device)
                for task in page.tasks():
                    pid = task.pid
                    if pid not in family:
                        family[pid] = focused is not None and focused in _ancestry(pid)
                    with contextlib.suppress(GivewayError):
                        self._mark(page, task.ticket, family[pid])

    def _mark(self, page: Page, ticket: int, focused: bool) -> None:
        key = (page.device, ticket)
        if focused is (key in self._ours):
            return
        text = page.attributes(ticket)
        if focused and "focused=" in text:
            return
        (self._ours.add if focused else self._ours.discard)(key)
        page.set_attributes(ticket, attributes.write(text, {"focused": "yes" if focused else None}))


def _ancestry(pid: int) -> Iterable[int]:
    """A process and its ancestors."""
    import psutil

    try:
        process = psutil.Process(pid)
        return [pid, *(parent.pid for parent in process.parents())]
    except psutil.Error:
        return [pid]


def missing() -> str | None:
    """Why the focus cannot be read; None: it can."""
    if not os.environ.get("DISPLAY"):
        return "there is no X11 display"
    try:
        import Xlib.display  # noqa: F401
    except ImportError:
        return "python-xlib is not installed (pip install 'giveway[window]')"
    return None


class Watcher:
    """A thread that follows the focus until `stop`, or until the X server ends."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="focus", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, which first removes all marks."""
        self._stopping.set()
        self._thread.join(timeout=2 * POLL_SECONDS)

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
                select.select([server.fileno()], [], [], POLL_SECONDS)
                while server.pending_events():
                    server.next_event()
        marks.update(None)


def _focused(server: Any, root: Any) -> int | None:
    """The process of the active window, from the properties that EWMH defines."""
    from Xlib import X, error

    try:
        active = root.get_full_property(server.intern_atom("_NET_ACTIVE_WINDOW"), X.AnyPropertyType)
        if active is None or not active.value or not active.value[0]:
            return None
        window = server.create_resource_object("window", int(active.value[0]))
        pid = window.get_full_property(server.intern_atom("_NET_WM_PID"), X.AnyPropertyType)
    except error.XError:
        return None  # the window has just been closed
    return int(pid.value[0]) if pid is not None and pid.value else None
