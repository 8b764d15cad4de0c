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
    from giveway.cli.parts.steer import steer

    steer("resume", pid, name, device)
