"""``giveway pause``."""

from __future__ import annotations

import click

from giveway.cli.parts import options


@click.command("pause")
@click.argument("pid", type=options.Number(1, whole=True))
@click.option("-n", "--name", metavar="S", help="Which task of PID. [default: that of the process]")
@options.device("Device of the task. [default: the device that PID uses]")
def command(pid: int, name: str | None, device: str | None) -> None:
    """Hold a task until it is resumed.

    The task waits before its next launch, and Ctrl-C does not end this wait. Threads that launch
    nothing go on. The task also resumes when the daemon ends.

    \b
    Examples:
      giveway pause 4242
      giveway resume 4242
    """
    from giveway.cli.parts.steer import send_request

    send_request("pause", pid, name, device)
