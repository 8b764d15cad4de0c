"""Files that a subcommand writes."""

from __future__ import annotations

from pathlib import Path

import click

from giveway.errors import GivewayError


def write(path: str, text: str) -> None:
    """Writes a text to a file, or to stdout where the path is ``-``.

    Raises:
        GivewayError: it cannot be written.
    """
    if path == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise GivewayError(f"cannot write {path}: {error.strerror}") from error
