"""Requests of `pause` and `resume` to the daemon."""

from __future__ import annotations

from giveway.cli.parts.lines import echo_line
from giveway.daemon.client import Client
from giveway.observe import select
from giveway.observe.tasks import read


def send_request(action: str, pid: int, name: str | None, device: str | None) -> None:
    """Has the daemon pause or resume one task.

    Raises:
        DaemonError: no daemon runs.
        NoSuchTaskError: no task matches.
        UsageError: several tasks match.
    """
    with Client() as daemon:
        task = select.choose(read(device), pid, name)
        getattr(daemon, action)(pid, name=task.name, device=task.device)
    echo_line(f"{task.name} ({pid}): {action}d")
