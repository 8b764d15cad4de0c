"""``giveway events``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import click

from giveway.cli.parts.lines import echo_line
from giveway.text import printable


@click.command("events")
@click.option("-f", "--follow", is_flag=True, help="Go on with new events, until the daemon ends.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one event per line.")
def command(follow: bool, as_json: bool) -> None:
    """Show what the daemon did: which task held which, when and why.

    The daemon keeps the last 10,000 openings and closings of gates, and as many other events.

    \b
    Examples:
      giveway events | grep held
      giveway events --follow | grep slack
      giveway events --follow --json | jq 'select(.what == "failed")'
    """
    from giveway.daemon.client import Client

    with Client() as daemon:
        for event in daemon.events(follow=follow):
            click.echo(json.dumps(event) if as_json else line(event))
    if follow:
        echo_line("giveway: the daemon has ended", err=True)


def line(event: Mapping[str, Any]) -> str:
    """An event as text: its time, kind and details. A traceback has lines of its own."""
    seconds = float(event["time"])
    when = time.strftime("%H:%M:%S", time.localtime(seconds)) + f"{seconds % 1:.6f}"[1:]
    words = [when, f"{event['what']:<10}"]
    if "pid" in event and "name" in event:
        words.append(f"{_task(event)} on {event['device']}")
    elif "device" in event:
        words.append(event["device"])
    if event.get("by"):
        words.append(f"{'beside' if event['what'] == 'opened' else 'for'} {_task(event['by'])}")
    if event.get("attributes"):
        words += [f"{name}={value}" for name, value in event["attributes"].items()]
    if "policy" in event:
        words.append(f"policy {event['policy']}")
    if event.get("why"):
        of_gate = event["what"] != "slack" and event.get("slack")
        words.append(f"({event['why']}{f'; slack {of_gate}' if of_gate else ''})")
    trace = str(event.get("traceback", "")).rstrip()
    lines = [" ".join(words), *(f"    {each}" for each in trace.splitlines())]
    return "\n".join(map(printable, lines))


def _task(task: Mapping[str, Any]) -> str:
    return f"{task['name']} ({task['pid']})"
