"""The window that the user looks at, on a real X server without a screen."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions
from tests.system.daemons import Daemon
from tests.system.watching import catches
from tests.system.x_server import XServer
from tests.waiting import eventually


class Desktop:
    """An X server on which we are the window manager."""

    def __init__(self, name: str) -> None:
        from Xlib.display import Display

        self.server: Any = Display(name)
        self.root = self.server.screen().root

    def window(self, pid: int) -> Any:
        from Xlib import Xatom

        window = self.root.create_window(0, 0, 10, 10, 0, self.server.screen().root_depth)
        window.change_property(self.server.intern_atom("_NET_WM_PID"), Xatom.CARDINAL, 32, [pid])
        return window

    def focus(self, window: Any) -> None:
        from Xlib import Xatom

        active = self.server.intern_atom("_NET_ACTIVE_WINDOW")
        self.root.change_property(active, Xatom.WINDOW, 32, [window.id if window else 0])
        self.server.sync()


@pytest.fixture
def display(spawn: Spawner) -> Iterator[str]:
    """The name of an X server: of Xvfb, where that is installed."""
    if shutil.which("Xvfb") is None:
        server = XServer()
        yield server.name
        server.close()
        return
    reader, writer = os.pipe()
    spawn("Xvfb", "-displayfd", str(writer), "-nolisten", "tcp", pass_fds=(writer,), stderr=-3)
    os.close(writer)
    with os.fdopen(reader) as said:
        yield f":{said.readline().strip()}"


@pytest.fixture
def desktop(display: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    monkeypatch.setenv("DISPLAY", display)
    desktop = Desktop(display)
    yield desktop
    desktop.server.close()


def test_the_focused_window_goes_first(spawn: Spawner, regions: Regions, desktop: Desktop) -> None:
    daemon = Daemon(spawn, "--policy", "window")
    first, second = regions().pid, regions().pid

    def focused() -> list[int]:
        return [task["pid"] for task in daemon.status()["tasks"] if "focused" in task["attributes"]]

    windows = {pid: desktop.window(pid) for pid in (first, second)}
    for pid, other in ((first, second), (second, first)):
        desktop.focus(windows[pid])
        assert eventually(lambda: focused() == [pid])  # noqa: B023
        assert eventually(lambda: not daemon.task(other)["open"])  # noqa: B023
    desktop.focus(desktop.window(os.getpid()))  # all of these come from this process
    assert eventually(lambda: sorted(focused()) == sorted((first, second)))
    desktop.focus(None)
    assert eventually(lambda: focused() == [])
    desktop.focus(windows[first])
    assert eventually(lambda: focused() == [first])
    windows[first].destroy()  # as when its program ends
    desktop.focus(windows[first])
    assert eventually(lambda: focused() == [])


def test_what_users_say_is_left_alone(
    spawn: Spawner, regions: Regions, desktop: Desktop, giveway: Runner
) -> None:
    daemon = Daemon(spawn, "--policy", "window")
    mine, theirs = regions().pid, regions().pid
    assert giveway("set", str(theirs), "focused=yes").returncode == 0
    desktop.focus(desktop.window(mine))
    assert eventually(lambda: daemon.task(mine)["attributes"].get("focused") == "yes")
    assert daemon.task(theirs)["attributes"]["focused"] == "yes"
    daemon.process.terminate()
    assert daemon.process.wait(timeout=60) == 0
    again = Daemon(spawn, "--policy", "window", "--metrics", "127.0.0.1:0")
    desktop.focus(None)
    assert eventually(lambda: "focused" not in again.task(mine)["attributes"])
    assert again.task(theirs)["attributes"]["focused"] == "yes"


def test_without_a_display_it_says_so(spawn: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    process = spawn(GIVEWAY, "serve", "--policy", "window", stderr=-1)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("giveway: cannot read which window has the focus: there is no X11")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("serving: policy window")
    assert eventually(lambda: catches(process.pid, signal.SIGTERM))
    process.terminate()
    assert process.wait(timeout=60) == 0
