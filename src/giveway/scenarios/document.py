"""Reads a scenario file: TOML by the rules of `giveway.scenarios.schema`.

Errors name the file, the line, the key, and the allowed values.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final, NoReturn

from giveway import toml
from giveway.errors import UsageError, choices
from giveway.scenarios.schema import (
    BAR,
    GONE,
    MOVED,
    PROGRAM,
    RENAMED,
    SIMULATION,
    TOP,
    VARIANT,
    Rule,
)

_KINDS: Final = {"cpu", "gpu"}

Values = dict[str, Any]


def shipped() -> dict[str, Path]:
    """The scenarios that are part of giveway, by name."""
    found = {path.stem: path for path in Path(__file__).parent.glob("*.toml")}
    return dict(sorted(found.items()))


def no_such(name: str) -> UsageError:
    """The error for what is neither the name of a scenario nor the path of a file."""
    return UsageError(
        f"no scenario {name!r}: there are {', '.join(shipped())}; "
        "for one of your own, give the path of a .toml file"
    )


def read_text(path: Path) -> str:
    """The text of a scenario file.

    Raises:
        UsageError: the file cannot be read.
    """
    return toml.read_text(path, "scenario")


class Document:
    """One scenario file, resolved for a kind of device, with the positions of its keys.

    Raises:
        UsageError: the file is invalid; the text has the position and the allowed values.
    """

    def __init__(self, path: Path, text: str, kind: str) -> None:
        self.path = path
        self._text, self._kind = text, kind
        data = toml.parse(path, text)
        self.top = self._read(data, TOP, "", 0)
        self.simulation = self._read(self.top["simulation"], SIMULATION, "simulation", 0)
        self.programs = self._tables("program", PROGRAM)
        self.bars = self._tables("bar", BAR)
        numbers = count()
        self.variants = [
            [
                (n := next(numbers), self._read(table, VARIANT, "program.variant", n))
                for table in program["variant"]
            ]
            for program in self.programs
        ]
        """By program, its variants, each with its index in the file, from 0."""
        names: set[str] = set()
        for number, program in enumerate(self.programs):
            if program["name"] in names:
                self.reject("program", number, "name", f"{program['name']!r} is used twice")
            names.add(program["name"])

    def has(self, table: str, number: int, key: str) -> bool:
        """Whether a table has a key, for any device."""
        return key in self.top[table][number]

    def _tables(self, name: str, rules: Mapping[str, Rule]) -> list[Values]:
        return [self._read(table, rules, name, n) for n, table in enumerate(self.top[name])]

    def _read(
        self, table: Mapping[str, Any], rules: Mapping[str, Rule], name: str, number: int
    ) -> Values:
        """The values of a table, resolved for the device, with defaults for missing keys."""
        for key in table:
            if key not in rules:
                moved = MOVED.get(name, {}).get(key)
                self.reject(name, number, key, moved or f"unknown: {choices(key, rules)}")
        values = {}
        for key, rule in rules.items():
            value = table.get(key)
            if rule.by_device and isinstance(value, dict) and value and set(value) <= _KINDS:
                each = {
                    kind: self._value(rule, one, name, number, key) for kind, one in value.items()
                }
                value = each.get(self._kind)
            elif value is not None:
                value = self._value(rule, value, name, number, key)
            elif rule.required:
                self.reject(name, number, "", f"{key} is required: {rule.allowed}")
            values[key] = rule.default if value is None else value
        return values

    def _value(self, rule: Rule, value: object, name: str, number: int, key: str) -> Any:
        try:
            return rule.read(value)
        except ValueError:
            allowed = rule.allowed
            if rule.by_device:
                allowed += ", or a table with such a value for cpu and for gpu"
            what = f"{value!r} is not allowed; allowed: {allowed}"
            if key == "arrivals" and isinstance(value, str) and value in RENAMED:
                what = f"{value!r} is called {RENAMED[value]!r} now"
            if key == "figure" and isinstance(value, str) and value in GONE:
                what = f"there is no {value!r} any more: use {GONE[value]}"
            self.reject(name, number, key, what)
        except UsageError as error:
            self.reject(name, number, key, str(error))

    def reject(
        self, table: str, number: int, key: str, what: str, inside: bool = False
    ) -> NoReturn:
        """Raises an error about a key, or about a whole table if ``key`` is empty.

        Args:
            table: the name of the table; empty: the keys above all tables.
            number: the index among the tables of that name, from 0.
            inside: whether the key is inside the value of another key.

        Raises:
            UsageError: always.
        """
        where = f"{self.path}:{toml.line_of(self._text, table, number, key, inside)}"
        raise UsageError(f"{where}: {f'{key}: ' if key else ''}{what}")
