"""``giveway ps``."""

from __future__ import annotations

import json

import click

from giveway.cli.parts import options
from giveway.cli.parts.lines import echo_line


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@options.device("Only this device. [default: all]")
@options.ray
def command(as_json: bool, device: str | None, address: str | None) -> None:
    """List the tasks that share a device.

    \b
    STATE        active     has work, and its gate is open
                 held       has work, and its gate is closed
                 idle       has no work
                 not gated  runs under giveway and has made no gated launch,
                            or computes outside of its launches
    LAUNCHES     launches so far
    HELD         time spent at a closed gate, summed over threads
    PREEMPTIONS  how often the gate closed while the task had work
    GATE         what a closed gate stops: OpenMP regions, operators of
                 torch, the whole process, launches only (not what runs),
                 or what the task submits to a GPU (device)

    \b
    Examples:
      giveway ps
      giveway ps --json | jq '.tasks[] | select(.state == "held") | .pid'
      giveway ps --ray
    """
    if address is not None:
        from giveway.cli.live import cluster

        cluster.show(address, device, as_json=as_json)
        return
    from giveway.cli.parts.table import terminal_width
    from giveway.cli.parts.tasks import NO_TASKS, lines
    from giveway.observe.tasks import snapshot

    tasks, others = snapshot(device)
    if as_json:
        document = {
            "schema": 1,
            "tasks": [task.to_json() for task in tasks],
            "not_gated": [other.to_json() for other in others],
        }
        click.echo(json.dumps(document, indent=2))
        return
    for line in lines(tasks, others, terminal_width()):
        echo_line(line)
    if any(task.device != "cpu" for task in tasks) and (mps := _mps()) is not None:
        echo_line(mps, err=True)
    if not tasks and not others:
        # On stderr, so that a program that reads the table finds the table empty.
        echo_line(NO_TASKS, err=True)


def _mps() -> str | None:
    import os

    from giveway.devices import mps

    return mps.describe(os.environ)
