"""A daemon for tests, and requests to the daemon."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

from giveway.daemon.client import Client
from tests.conftest import GIVEWAY, Spawner
from tests.system.watching import catches
from tests.waiting import eventually

HERE = Path(__file__).parent


class Daemon:
    """``giveway serve``, once the daemon answers and handles the signal to end."""

    def __init__(self, spawn: Spawner, *options: str) -> None:
        self.process: subprocess.Popen[str] = spawn(
            *(GIVEWAY, "serve", *options), cwd=HERE, stdin=subprocess.DEVNULL
        )
        assert eventually(self.status)
        assert eventually(lambda: catches(self.process.pid, signal.SIGTERM))

    def status(self) -> dict[str, Any]:
        with Client(timeout=30) as client:
            return client.status()

    def policy(self, name: str | None = None) -> str:
        with Client(timeout=30) as client:
            return client.policy(name)

    def pause(self, pid: int) -> None:
        with Client(timeout=30) as client:
            client.pause(pid)

    def events(self, what: str | None = None) -> list[dict[str, Any]]:
        with Client(timeout=30) as client:
            return [event for event in client.events() if what in (None, event["what"])]

    def task(self, pid: int) -> dict[str, Any]:
        found = [task for task in self.status()["tasks"] if task["pid"] == pid]
        if not found:
            raise LookupError(f"the daemon does not know of {pid} yet")
        task: dict[str, Any] = found[0]
        return task

    def running(self, pid: int) -> float:
        """For how many seconds the process's task has had work and an open gate."""
        return float(self.task(pid)["running_seconds"])
