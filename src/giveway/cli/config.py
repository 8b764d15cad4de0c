"""``giveway config``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from giveway.cli.parts.lines import echo_line

if TYPE_CHECKING:
    from giveway.config.resolve import Value


@click.command(
    "config",
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS] --",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("-n", "--name", metavar="S", help="Name of the task. [default: derived from CMD]")
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED, metavar="[CMD [ARGS]...]")
def command(cmd: tuple[str, ...], as_json: bool, name: str | None) -> None:
    """Show the settings that CMD would get here, and where each comes from.

    An option of 'giveway run' overrides the environment (GIVEWAY_PRIORITY and so on),
    that the user's file, that the system's file, and that what is built in. The files are
    ~/.config/giveway/config.toml and /etc/giveway/config.toml, or only the one that GIVEWAY_CONFIG
    names.

    \b
    Examples of a file:
      [defaults]
      priority = -5
      [[program]]
      name = "serve*"
      directory = "~/production"
      priority = 10
      slowdown = "10%"

    \b
    Examples:
      giveway config
      giveway config -- python serve.py
    """
    from giveway import launch
    from giveway.config import resolve

    task = name if name is not None else launch.derive_name(cmd) if cmd else ""
    directory = resolve.current_directory()
    values = resolve.resolve(task, directory, {}, os.environ)
    found = [
        (source, str(path), os.path.exists(path)) for source, path in resolve.files(os.environ)
    ]
    if as_json:
        document = {
            "schema": 1,
            "name": task,
            "directory": directory,
            "files": [{"source": s, "path": path, "exists": there} for s, path, there in found],
            "settings": {
                key: {"value": value.text, "source": value.source, "where": value.where}
                for key, value in values.items()
            },
        }
        click.echo(json.dumps(document, indent=2))
        return
    for line in _lines(values):
        echo_line(line)
    echo_line()
    for source, path, there in found:
        echo_line(f"{source} file  {path}{'' if there else ' (not there)'}")


def _lines(values: dict[str, Value]) -> list[str]:
    from giveway.cli.parts.table import Column, render

    rows = [
        [key, value.text, value.source + (f", {value.where}" if value.where else "")]
        for key, value in values.items()
    ]
    return render([Column("SETTING"), Column("VALUE"), Column("FROM")], rows)
