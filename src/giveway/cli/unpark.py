"""``giveway unpark``."""

from __future__ import annotations

import click

from giveway.cli.parts import options


@click.command("unpark")
@click.argument("pid", type=options.Number(1, whole=True))
def command(pid: int) -> None:
    """Move a parked program's memory back to the GPU.

    The program then goes on where it waits. It stays parked where the GPU has no room for it.

    \b
    Examples:
      giveway park 4242
      giveway unpark 4242
    """
    from giveway.cli.parts import parking

    parking.unpark(pid)
