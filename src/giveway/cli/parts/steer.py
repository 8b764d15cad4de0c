"""What `pause` and `resume` ask of the daemon."""

from __future__ import annotations

import click

from giveway.daemon.client import Client
from giveway.observe import select
from giveway.observe.tasks import read


def steer(what: str, pid: int, name: str | None, device: str | None) -> None:
    """Pauses or resumes the one task that is meant.

    Raises:
        DaemonError: no daemon runs.
        NoSuchTaskError: no task fits.
        UsageError: several do.
    """
    with Client() as daemon:
        task = select.choose(read(device), pid, name)
        getattr(daemon, what)(pid, name=task.name, device=task.device)
    click.echo(f"{task.name} ({pid}): {what}d")
