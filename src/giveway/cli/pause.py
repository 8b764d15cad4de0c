"""``giveway pause``."""

from __future__ import annotations

import click

from giveway.cli.parts import options


@click.command("pause")
@click.argument("pid", type=options.Number(1, whole=True))
@click.option("-n", "--name", metavar="S", help="Which of the tasks of PID. [default: its own]")
@options.device("Which device. [default: the one that PID uses]")
def command(pid: int, name: str | None, device: str | None) -> None:
    """Hold a task until it is resumed.

    It waits before its next launch for as long as it takes, Ctrl-C included; what has no launch
    goes on. When the daemon ends, the task is resumed.

    \b
    Examples:
      giveway pause 4242
      giveway resume 4242
    """
    from giveway.cli.parts.steer import steer

    steer("pause", pid, name, device)
