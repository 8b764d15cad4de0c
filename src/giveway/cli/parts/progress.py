"""How far a command that takes minutes has got."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import click


@contextlib.contextmanager
def bar() -> Iterator[Callable[[str, float], None]]:
    """Takes a stage and the share of the whole that lies behind it, 0 to 1.

    A bar on a terminal; a line for each stage where stderr goes anywhere else.
    """
    if not sys.stderr.isatty():
        yield lambda stage, _: click.echo(stage, err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=1.0)
        yield lambda stage, share: shown.update(task, description=stage, completed=share)
