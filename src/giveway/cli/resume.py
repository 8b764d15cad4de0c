"""``giveway resume``."""

from __future__ import annotations

import click

from giveway.cli.parts import options


@click.command("resume")
@click.argument("pid", type=options.Number(1, whole=True))
@click.option("-n", "--name", metavar="S", help="Which of the tasks of PID. [default: its own]")
@options.device("Which device. [default: the one that PID uses]")
def command(pid: int, name: str | None, device: str | None) -> None:
    """Let a task go on that giveway pause holds.

    \b
    Example:
      giveway resume 4242
    """
    steer("resume", pid, name, device)


def steer(what: str, pid: int, name: str | None, device: str | None) -> None:
    """Pauses or resumes the one task that is meant.

    Raises:
        DaemonError: no daemon runs.
        NoSuchTaskError: no task fits.
        UsageError: several do.
    """
    from giveway.daemon.client import Client
    from giveway.observe import select, tasks

    with Client() as daemon:
        task = select.choose(tasks.read(device), pid, name)
        getattr(daemon, what)(pid, name=task.name, device=task.device)
    click.echo(f"{task.name} ({pid}): {what}d")
