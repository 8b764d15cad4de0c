"""The progress of a command that takes minutes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from giveway.cli.parts.lines import echo_line


@contextlib.contextmanager
def bar() -> Iterator[Callable[[str, float], None]]:
    """Yields a function that takes a stage and the completed share of the whole, 0 to 1.

    Shows a bar on a terminal, else a line on stderr for each stage.
    """
    if not sys.stderr.isatty():
        yield lambda stage, _: echo_line(stage, err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=1.0)
        yield lambda stage, share: shown.update(task, description=stage, completed=share)
