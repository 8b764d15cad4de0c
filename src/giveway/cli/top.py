"""``giveway top``."""

from __future__ import annotations

import os
import sys

import click

from giveway.cli.parts import options
from giveway.errors import UsageError


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
@click.option(
    "-n",
    "--count",
    metavar="N",
    type=options.Number(1, whole=True),
    help="With --csv: end after N intervals. [default: never]",
)
@options.columns
@options.device("Only this device. [default: all]")
@options.ray
def command(
    interval: float,
    count: int | None,
    chosen: str | None,
    as_csv: bool,
    device: str | None,
    address: str | None,
) -> int:
    """Watch the tasks that share a device.

    Shows the tasks of giveway ps, refreshed, with launches per second and the percentage of time
    held. While giveway serve runs, SHARE% is the percentage of time for which the task ran, with
    the promised share after a slash. Without a terminal, the command prints one snapshot and ends.
    With --csv, it prints all tasks with the time at the end of each interval.

    \b
    Keys:
      p  sort by priority        l  by launches per second
      h  by time held            n  by name
      q  quit

    \b
    Examples:
      giveway top --format pid,user,name,held%,gpu-mem
      giveway top --csv --interval 10 > tasks.csv
    """
    from giveway.cli.live.columns import KNOWN, SHOWN
    from giveway.cli.parts import tasks as table

    fields = None if chosen is None else table.choose(chosen, KNOWN)
    if count is not None and not as_csv:
        raise UsageError("--count needs --csv")
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    once = dumb or not (sys.stdin.isatty() and sys.stdout.isatty())
    if address is not None:
        if as_csv:
            raise UsageError("--csv shows the tasks of this machine: use it without --ray")
        from giveway.cli.live import cluster

        if once:
            return cluster.show(address, device, fields)
        return cluster.watch(address, device, interval, fields)
    from giveway.observe.details import Inspector
    from giveway.observe.tasks import snapshot

    inspector = Inspector()
    if once and not as_csv:
        tasks, others = snapshot(device)
        table.show(table.rows(tasks, others, inspector.read(tasks, others)), fields)
        return 0
    from giveway.cli.live import steering
    from giveway.cli.live.view import View

    def read() -> View:
        tasks, others = snapshot(device)
        daemon = steering.read()
        details = inspector.read(tasks, others)
        return View(tasks, others, f"gates {daemon}", daemon, details=details)

    if as_csv:
        from giveway.cli.live import log

        log.write(interval, count, read, fields or SHOWN)
        return 0
    from giveway.cli.live import screen

    return screen.watch(interval, read, fields)
