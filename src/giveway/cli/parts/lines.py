"""Prints lines. Whatever a name in them contains, a line is one line, and a terminal obeys nothing.

Commands print text with `echo_line`, and JSON, which escapes such characters itself, with click.
"""

from __future__ import annotations

from typing import IO, Any

import click

from giveway.text import printable


def echo_line(line: str = "", *, err: bool = False, file: IO[Any] | None = None) -> None:
    """Prints one line, to stdout unless told otherwise."""
    click.echo(printable(line), err=err, file=file)
