"""``giveway top``."""

from __future__ import annotations

import os
import sys

import click

from giveway.cli.parts import options
from giveway.cli.parts.lines import echo_line


@click.command("top")
@click.option(
    "-i",
    "--interval",
    metavar="SECONDS",
    type=options.Number(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Time between refreshes, 0.1 to 3600.",
)
@options.device("Only this device. [default: all]")
@options.ray
def command(interval: float, device: str | None, address: str | None) -> int:
    """Watch the tasks that share a device.

    Shows the tasks of giveway ps, refreshed, with launches per second and the percentage of time
    held. While giveway serve runs, SHARE% is the percentage of time for which the task ran, with
    the promised share after a slash. Without a terminal, the command prints one snapshot and ends.

    \b
    Keys:
      p  sort by priority        l  by launches per second
      h  by time held            n  by name
      q  quit
    """
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    once = dumb or not (sys.stdin.isatty() and sys.stdout.isatty())
    if address is not None:
        from giveway.cli.live import cluster

        if once:
            return cluster.show(address, device)
        return cluster.watch(address, device, interval)
    from giveway.observe.tasks import snapshot

    if once:
        from giveway.cli.parts.tasks import lines

        for line in lines(*snapshot(device), width=None):
            echo_line(line)
        return 0
    from giveway.cli.live import screen, steering

    def read() -> screen.View:
        tasks, others = snapshot(device)
        daemon = steering.read()
        return screen.View(tasks, others, f"gates {daemon}", daemon)

    return screen.watch(interval, read)
