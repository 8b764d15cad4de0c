"""``giveway ps``."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Final

import click

from giveway.cli import options

if TYPE_CHECKING:
    from giveway.programs import Program
    from giveway.task import Task

NOBODY: Final = "Nothing runs under giveway. Start a program with: giveway run -- CMD"


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@options.device("Only this device. [default: all]")
def command(as_json: bool, device: str | None) -> None:
    """List the tasks that share a device.

    \b
    STATE        active     has work and may run
                 held       has work, and waits for a more urgent task
                 idle       has no work just now
                 not gated  started by giveway run, with no launch that giveway saw
    LAUNCHES     how often work was started
    HELD         time spent waiting, summed over threads
    PREEMPTIONS  how often the task was stopped while it had work

    \b
    Examples:
      giveway ps
      giveway ps --json | jq '.tasks[] | select(.state == "held") | .pid'
    """
    from giveway import observe

    tasks, others = observe.snapshot(device)
    if as_json:
        document = {
            "schema": 1,
            "tasks": [task.to_json() for task in tasks],
            "not_gated": [
                {"pid": other.pid, "name": other.name, "device": other.device} for other in others
            ],
        }
        click.echo(json.dumps(document, indent=2))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines(tasks, others, width):
        click.echo(line)
    if not tasks and not others:
        # Not on stdout: a program that reads the table finds it empty.
        click.echo(NOBODY, err=True)


def lines(tasks: list[Task], others: list[Program], width: int | None) -> list[str]:
    """The table, its header first."""
    from giveway.cli import table
    from giveway.cli.tasks import COLUMNS, row

    rows = [row(task) for task in tasks]
    rows += [
        [other.device, str(other.pid), other.name, "-", "not gated", "-", "-", "-"]
        for other in others
    ]
    return table.render(COLUMNS, rows, width)
