"""TOML files that users write, and the line of each key. `tomllib` reports no lines."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final, cast

from giveway.errors import UsageError

_HEADER: Final = re.compile(r"\s*\[\[?\s*([\w.-]+)\s*\]\]?")

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
"""At the end of tomllib's messages."""


def read_text(path: Path, what: str) -> str:
    """The text of a file.

    Args:
        what: the kind of file, for the error message, such as ``scenario``.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"cannot read the {what} {path}: {reason}") from error


def parse(path: Path, text: str) -> dict[str, Any]:
    """The tables of a file with this text.

    Raises:
        UsageError: the text is not TOML; the message has the file and the line.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise UsageError(f"{path}:1: not TOML: nested too deeply") from error
    except ValueError as error:  # a TOMLDecodeError, or a number of too many digits
        message = str(error)
        found = _PLACE.search(message)
        line = found.group(1) if found else None
        where = line or text.count("\n") + 1
        raise UsageError(f"{path}:{where}: not TOML: {_PLACE.sub('', message)}") from error


def line_of(text: str, table: str, number: int, key: str, inside: bool = False) -> int:
    """The line of a key, or of its table if ``key`` is empty.

    Args:
        table: the name of the table; empty: the keys above all tables.
        number: the index among the tables of that name, from 0.
        inside: whether the key is inside the value of another key.
    """
    wanted = re.compile(rf"{'.*' if inside else ''}\s*[\"']?{re.escape(key)}[\"']?\s*=")
    current, count, header = "", -1, 1
    for at, line in enumerate(text.splitlines(), 1):
        found = _HEADER.match(line)
        if found and "=" not in line.partition("]")[0]:
            current = cast(str, found.group(1))
            count += current == table
            if current == table and count == number:
                header = at
        here = current == table and (count == number or not table)
        if key and here and wanted.match(line):
            return at
        if key and found and count == number and current == f"{table}.{key}":
            return at
        if key and found and not table and current == key:
            return at
    return header
