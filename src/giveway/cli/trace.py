"""``giveway trace``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import click

from giveway.cli.parts import options
from giveway.errors import UsageError
from giveway.observe.traces import read
from giveway.sched import memory
from giveway.text import printable

EVENTS: Final = 1_000_000
"""How many of the last calls a Perfetto trace keeps for each process."""
SHOWN_KERNELS: Final = 20

_FAILED: Final = "failed"
# `giveway run` becomes the program. So it ends by itself only if the program cannot be started.
_START: Final = f"""
import os
from giveway.__main__ import main
try:
    main()
finally:
    open(os.path.join(os.environ["GIVEWAY_TRACE"], "{_FAILED}"), "w").close()
"""

_CALLS: Final = {
    "launches": "launches",
    "legacy_launches": "  on the NULL stream",
    "graph_launches": "graph launches",
    "copies": "copies",
    "memsets": "memsets",
    "allocations": "allocations",
    "frees": "frees",
    "host_allocations": "host allocations",
    "host_frees": "host frees",
    "syncs": "syncs",
    "event_calls": "events recorded, waits",
    "queries": "queries",
    "other": "other hooked calls",
    "failures": "failures",
    "stream_gates": "stream gates of giveway",
}


@click.command(
    "trace",
    # Options after CMD belong to CMD, with or without `--`.
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS] --",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "-o",
    "--output",
    type=click.File("w", lazy=False),  # opened at once, not after CMD has run for hours
    metavar="FILE",
    default="-",
    help="Write the report to FILE. [default: standard output]",
)
@click.option(
    "--perfetto",
    type=click.File("w", lazy=False),
    metavar="FILE",
    help="Also write each call to FILE, for ui.perfetto.dev.",
)
@options.priority
@options.device("Device to trace. [default: a GPU where there is one, cuda or hip; else cpu]")
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED, metavar="CMD [ARGS]...")
def command(
    cmd: tuple[str, ...],
    as_json: bool,
    output: TextIO,
    perfetto: TextIO | None,
    priority: int | None,
    device: str | None,
) -> int:
    """Show which calls a program makes to its device.

    Runs CMD as giveway run does, and reports after CMD has ended: calls by kind, kernels by name,
    bytes of device memory, failures, and the time spent waiting for the device and at a closed
    gate. The exit code is CMD's, or 128 + N if signal N ended CMD. A process that is killed leaves
    no report.

    \b
    Examples:
      giveway trace -- python train.py --steps 10
      giveway trace --json -o calls.json --perfetto calls.perfetto.json -- ./a.out
    """
    if not cmd:
        raise UsageError("no command: use giveway trace [OPTIONS] -- CMD [ARGS]")
    if perfetto is not None and perfetto.fileno() == output.fileno():
        raise UsageError("the report and --perfetto cannot both go to stdout: use -o FILE")
    arguments = [] if priority is None else ["--priority", str(priority)]
    if device is not None:
        arguments += ["--device", device]
    with tempfile.TemporaryDirectory(prefix="giveway-trace-") as folder:
        start = time.monotonic()
        code = _run([*arguments, "--", *cmd], folder, EVENTS if perfetto else 0)
        if Path(folder, _FAILED).exists():  # giveway run has said why
            return code
        seconds = time.monotonic() - start
        processes = read(Path(folder))
    if perfetto is not None:
        json.dump(perfetto_trace(processes), perfetto)
    for process in processes:
        process.pop("events", None)
    if as_json:
        report = {"schema": 1, "exit_code": code, "seconds": seconds, "processes": processes}
        text = json.dumps(report, indent=2)
    else:
        text = "\n".join(map(printable, lines(processes, seconds)))
    click.echo(text, file=output)
    return code


def _run(arguments: Sequence[str], folder: str, events: int) -> int:
    """Runs the program. Returns its exit code as a shell would, 128 + N after signal N."""
    child: subprocess.Popen[bytes] | None = None
    ended = False

    def end(_number: int, _frame: object) -> None:
        nonlocal ended
        ended = True
        if child is not None:
            child.terminate()

    # Before there is a child: a signal that comes at once is for it too. The terminal sends Ctrl-C
    # to both, and the program decides what it means. It would inherit SIG_IGN, but no handler.
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    terminate = signal.signal(signal.SIGTERM, end)
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, "run", *arguments],
            env={**os.environ, "GIVEWAY_TRACE": folder, "GIVEWAY_TRACE_EVENTS": str(events)},
        )
        if ended:
            child.terminate()
        status = child.wait()
    finally:
        signal.signal(signal.SIGINT, previous)
        signal.signal(signal.SIGTERM, terminate)
    return status if status >= 0 else 128 - status


def perfetto_trace(processes: list[dict[str, Any]]) -> dict[str, Any]:
    """The calls in the JSON that Perfetto and chrome://tracing open; times in microseconds."""
    events: list[dict[str, Any]] = []
    for process in processes:
        pid = process["pid"]
        events.append(
            {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": process["name"]}}
        )
        events += [
            {
                "ph": "X",
                "name": kernel or function,
                "cat": function,
                "pid": pid,
                "tid": thread,
                "ts": began / 1e3,
                "dur": duration / 1e3,
            }
            for began, duration, thread, function, kernel in process.get("events", [])
        ]
    return {"traceEvents": events, "displayTimeUnit": "ns"}


def lines(processes: list[dict[str, Any]], seconds: float) -> Iterator[str]:
    """The report as text."""
    if not processes:
        yield "No process used the device, or each was killed before it could report."
    for process in processes:
        yield f"{process['name']} ({process['pid']}), {seconds:.2f} s in all"
        calls = dict(process["calls"])
        calls["launches"] = calls.get("launches", 0) + calls.get("legacy_launches", 0)
        if process["calls"]:
            for key, title in _CALLS.items():
                yield f"  {title:22}{calls.get(key, 0):>14}"
            for key, count in process["bytes"].items():
                yield f"  {'bytes ' + key:22}{count:>14}"
            yield f"  {'time in syncs':22}{calls['sync_ns'] / 1e9:>13.3f}s"
        for task in process["tasks"]:
            yield f"  task {task['name']} on {task['device']}, priority {task['priority']}"
            for key in ("launches", "operators", "holds", "preemptions"):
                yield f"    {key:20}{task[key]:>14}"
            yield f"    {'held':20}{task['held_ns'] / 1e9:>13.3f}s"
            if task["memory_peak"]:
                yield f"    {'memory, at most':20}{memory.show(task['memory_peak']):>14}"
        if process["kernels"]:
            yield f"  {'LAUNCHES':>10}  KERNEL"
        for kernel in process["kernels"][:SHOWN_KERNELS]:
            yield f"  {kernel['launches']:>10}  {kernel['name']}"
        more = len(process["kernels"]) - SHOWN_KERNELS
        if more > 0:
            yield f"  {'':>10}  and {more} more (--json has all)"
