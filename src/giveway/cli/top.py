"""``giveway top``."""

from __future__ import annotations

import os
import sys

import click

from giveway.cli.parts import options


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

    As giveway ps, refreshed, with launches per second and the share of the time held. Where giveway
    serve runs, also with the policy in service and the share of the time in which each task ran,
    and behind a slash what it was promised. Without a terminal it prints one snapshot and ends.

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
            click.echo(line)
        return 0
    from giveway.cli.live import screen, steering

    def look() -> screen.Seen:
        tasks, others = snapshot(device)
        who = steering.look()
        return screen.Seen(tasks, others, f"gates {who}", who)

    return screen.watch(interval, look)
