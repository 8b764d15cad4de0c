"""``giveway ps``."""

from __future__ import annotations

import json

import click

from giveway.cli.parts import options
from giveway.cli.parts.lines import echo_line
from giveway.errors import UsageError


@click.command("ps")
@options.columns
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@options.device("Only this device. [default: all]")
@options.ray
def command(
    chosen: str | None, as_csv: bool, as_json: bool, device: str | None, address: str | None
) -> None:
    """List the tasks that share a device.

    \b
    GPU          number of the GPU, as nvidia-smi and rocm-smi count
    STATE        active     has work, and its gate is open
                 held       has work, and its gate is closed
                 idle       has no work
                 not gated  runs under giveway and has made no gated launch,
                            or computes outside of its launches
    GPU-MEM      memory that the process uses on the GPU
    MEM-PEAK     the most that it has used
    LAUNCHES     launches so far
    HELD         time spent at a closed gate, summed over threads
    PREEMPTIONS  how often the gate closed while the task had work
    TOLERANCE    slowdown that the task tolerates (run --slowdown)
    SLOWDOWN     by how much less urgent tasks slow the task down while they
                 run beside it; ?: not known
    SLACK        the slowdown is within the tolerance, beyond it, or unknown
    CREDIT       delay that is tolerated in this episode and has not happened
    TOGETHER     part of the contended time in which less urgent tasks ran
    GATE         what a closed gate stops: OpenMP regions, operators of
                 torch, the whole process, launches only (not what runs),
                 or what the task submits to a GPU (device)

    A narrow terminal shows the most important columns, and a column without a value is left out.
    --format selects columns by their titles, in small letters.

    \b
    Examples:
      giveway ps
      giveway ps --format pid,user,gpu-mem,command
      giveway ps --csv > tasks.csv
      giveway ps --json | jq '.tasks[] | select(.state == "held") | .pid'
      giveway ps --ray
    """
    from giveway.cli.parts import tasks as view

    if as_json and (as_csv or chosen is not None):
        raise UsageError("--json prints all fields: use it without --format and --csv")
    fields = None if chosen is None else view.choose(chosen, view.FIELDS)
    if address is not None:
        from giveway.cli.live import cluster

        cluster.show(address, device, fields, as_csv=as_csv, as_json=as_json)
        return
    from giveway.observe.details import Inspector, key
    from giveway.observe.tasks import snapshot

    tasks, others = snapshot(device)
    details = Inspector().read(tasks, others)
    if as_json:
        document = {
            "schema": 1,
            "tasks": [task.to_json() | details[key(task)].to_json() for task in tasks],
            "not_gated": [other.to_json() for other in others],
        }
        click.echo(json.dumps(document, indent=2))
        return
    rows = view.rows(tasks, others, details)
    view.show(rows, fields, as_csv=as_csv)
    if any(task.device != "cpu" for task in tasks) and (mps := _mps()) is not None:
        echo_line(mps, err=True)
    if not rows and not as_csv:
        # On stderr, so that a program that reads the table finds the table empty.
        echo_line(view.NO_TASKS, err=True)


def _mps() -> str | None:
    import os

    from giveway.devices import mps

    return mps.describe(os.environ)
