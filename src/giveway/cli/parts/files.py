"""Files that a subcommand writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from giveway.errors import GivewayError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def json_option(help_text: str) -> Callable[[_Command], _Command]:
    """``--json FILE``, as ``path``; ``-`` is standard output."""
    return click.option(
        "--json",
        "path",
        metavar="FILE",
        type=click.Path(dir_okay=False, writable=True, allow_dash=True),
        callback=_writable,
        help=help_text,
    )


def _writable(_context: click.Context, _parameter: click.Parameter, path: str | None) -> str | None:
    """Reports a file that cannot be written before the measurement, not after it."""
    if path in (None, "-"):
        return path
    assert path is not None
    new = not os.path.lexists(path)
    try:
        # A pipe is not opened: that would wait for a reader, and closing would end its input.
        if new or Path(path).is_file():
            Path(path).open("ab").close()
        if new:
            Path(path).unlink()
    except OSError as error:
        raise click.BadParameter(f"cannot write {path!r}: {error.strerror}") from error
    return path


def write_json(path: str, document: dict[str, Any]) -> None:
    """Writes the document of ``--json``. Raises as `write` does."""
    write(path, json.dumps(document, indent=2) + "\n")


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
