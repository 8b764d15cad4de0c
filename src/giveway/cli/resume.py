"""``giveway resume``."""

from __future__ import annotations

import click

from giveway.cli.parts import options


@click.command("resume")
@click.argument("pid", type=options.Number(1, whole=True))
@click.option("-n", "--name", metavar="S", help="Which task of PID. [default: that of the process]")
@options.device("Device of the task. [default: the device that PID uses]")
def command(pid: int, name: str | None, device: str | None) -> None:
    """Let a paused task go on.

    \b
    Example:
      giveway resume 4242
    """
    from giveway.cli.parts.steer import send_request

    send_request("resume", pid, name, device)
