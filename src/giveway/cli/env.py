"""``giveway env``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import click

from giveway.cli.parts import options
from giveway.errors import UsageError


@click.command("env")
@options.priority
@click.option("-n", "--name", metavar="S", help="Name of the tasks. [default: each program's own]")
@click.option("--job", metavar="NAME", help="Processes that wait for each other give way together.")
@options.memory
@options.reserve
@options.parkable
@options.attributes
@options.device("Device to share. [default: a GPU where there is one, cuda or hip; else cpu]")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["sh", "fish", "file"]),
    default="sh",
    show_default=True,
    help="Commands of a shell, or NAME=VALUE lines for systemd and containers.",
)
def command(
    priority: int | None,
    name: str | None,
    job: str | None,
    memory: str | None,
    reserve: str | None,
    parkable: bool | None,
    device: str | None,
    form: str,
    **settings: str | None,
) -> None:
    """Print the environment that 'giveway run' gives a program.

    Every program that is started with these variables shares the device. This is for programs that
    something else starts: a batch system, a notebook server, systemd, a container.

    \b
    Examples:
      eval "$(giveway env --priority -5)"
      giveway env --format fish | source
      giveway env --format file > /etc/giveway.env
    """
    import os

    from giveway import devices, launch
    from giveway.cli.parts.settings import choose

    before = dict(os.environ)
    chosen = devices.get(devices.default() if device is None else device)
    number, given = choose(name or "", priority, settings, memory, reserve, parkable)
    environment = launch.environment(
        os.environ, chosen.name, number, name or "-", given, job, memory, reserve, parkable
    )
    if name is None:
        del environment["GIVEWAY_NAME"]
    click.echo(render(before, environment, form), nl=False)


def render(before: Mapping[str, str], after: Mapping[str, str], form: str) -> str:
    """The lines that turn one environment into the other.

    Raises:
        UsageError: a file cannot express a value, because it has a line break.
    """
    changed = {name: after[name] for name in sorted(after) if before.get(name) != after[name]}
    removed = sorted(before.keys() - after.keys())
    if form == "sh":
        lines = [f"unset {name}" for name in removed]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in changed.items()]
    elif form == "fish":
        lines = [f"set -e {name}" for name in removed]
        lines += [f"set -gx {name} {_fish(value)}" for name, value in changed.items()]
    else:
        for name, value in changed.items():
            if "\n" in value:
                raise UsageError(f"{name} has a line break, which a file cannot express")
        lines = [f"{name}={value}" for name, value in changed.items()]
    return "".join(f"{line}\n" for line in lines)


def _fish(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
