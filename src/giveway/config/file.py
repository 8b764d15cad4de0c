"""Reads one configuration file.

Errors name the file, the line, the key, and the allowed values.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

from giveway import toml
from giveway.config.keys import KEYS
from giveway.errors import UsageError, choices

_PATTERNS = ("name", "directory")
_TABLES = {
    "defaults": "a table, [defaults]",
    "program": "tables, [[program]], for some programs each",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A value in a file."""

    text: str
    """As users write it on the command line."""
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The table of all programs, or of those with one name or in one directory."""

    name: str | None
    """A pattern of names, as shells have them; None: any name."""
    directory: str | None
    """The directory, resolved, with all below it; None: any directory."""
    settings: Mapping[str, Setting]

    def matches(self, name: str, directory: str) -> bool:
        """Whether the entry is for a program of that name, started in that directory."""
        if self.name is not None and not fnmatchcase(name, self.name):
            return False
        return self.directory is None or Path(directory).is_relative_to(self.directory)


def read(path: Path) -> list[Entry]:
    """The entries of a file, the one for all programs first.

    Raises:
        UsageError: the file cannot be read or is invalid; the text has the position and the allowed
            values.
    """
    return list(_Reader(path).entries())


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = toml.read_text(path, "configuration")
        self._data = toml.parse(path, self._text)

    def entries(self) -> Iterator[Entry]:
        for table, content in self._data.items():
            if table not in _TABLES:
                self._reject("", 0, table, f"unknown: {choices(table, _TABLES)}")
            tables = content if table == "program" else [content]
            if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
                self._reject("", 0, table, f"{content!r} is not allowed; allowed: {_TABLES[table]}")
        if "defaults" in self._data:
            yield Entry(None, None, self._settings("defaults", 0, self._data["defaults"], ()))
        for number, content in enumerate(self._data.get("program", [])):
            yield self._program(number, content)

    def _program(self, number: int, content: dict[str, Any]) -> Entry:
        name = self._pattern(number, content, "name", "a name, in which * stands for anything")
        allowed = "an absolute path, or one that begins with ~"
        directory = self._pattern(number, content, "directory", allowed)
        if directory is not None:
            directory = os.path.expanduser(directory)
            if not os.path.isabs(directory) or "\0" in directory:
                self._not_allowed("program", number, "directory", content["directory"], allowed)
            directory = os.path.realpath(directory)
        if name is None and directory is None:
            self._reject(
                "program",
                number,
                "",
                "name or directory is required; for all programs, write [defaults]",
            )
        return Entry(name, directory, self._settings("program", number, content, _PATTERNS))

    def _pattern(self, number: int, content: dict[str, Any], key: str, allowed: str) -> str | None:
        value = content.get(key)
        if value is not None and not (isinstance(value, str) and value):
            self._not_allowed("program", number, key, value, allowed)
        return value

    def _settings(
        self, table: str, number: int, content: dict[str, Any], others: tuple[str, ...]
    ) -> dict[str, Setting]:
        found = {}
        for key, value in content.items():
            if key in others:
                continue
            if key not in KEYS:
                self._reject(table, number, key, f"unknown: {choices(key, [*others, *KEYS])}")
            kind = KEYS[key].kind
            text = str(value).lower() if isinstance(value, bool) else str(value)
            try:
                if not isinstance(value, str | int | float):
                    raise ValueError
                kind.parse(text)
            except (ValueError, UsageError):
                self._not_allowed(table, number, key, value, kind.allowed)
            found[key] = Setting(text, toml.line_of(self._text, table, number, key))
        return found

    def _not_allowed(
        self, table: str, number: int, key: str, value: object, allowed: str
    ) -> NoReturn:
        self._reject(table, number, key, f"{value!r} is not allowed; allowed: {allowed}")

    def _reject(self, table: str, number: int, key: str, what: str) -> NoReturn:
        line = toml.line_of(self._text, table, number, key)
        raise UsageError(f"{self._path}:{line}: {f'{key}: ' if key else ''}{what}")
