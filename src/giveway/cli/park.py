"""``giveway park``."""

from __future__ import annotations

import click

from giveway.cli.parts import options


@click.command("park")
@click.argument("pid", type=options.Number(1, whole=True))
def command(pid: int) -> None:
    """Move a program's GPU memory to host memory.

    The program's work on the GPU ends first. Then the program waits at its next call, and other
    programs can use the memory, until giveway unpark brings it back. NVIDIA only, with driver 570
    or newer.

    \b
    Examples:
      giveway park 4242
      giveway unpark 4242
    """
    from giveway.cli.parts import parking

    parking.park(pid)
