"""Reads a scenario from TOML; what is wrong is said with file, line, key, and what is allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from giveway.errors import UsageError
from giveway.scenarios.catalog import SIZES
from giveway.scenarios.model import Arrivals, Bar, Program, Scenario, Size
from giveway.scenarios.schema import BAR, PROGRAM, TOP, Rule

_KINDS: Final = {"cpu", "gpu"}
_HEADER: Final = re.compile(r"\s*\[\[?\s*([\w.-]+)\s*\]\]?")


def shipped() -> dict[str, Path]:
    """The scenarios that come with giveway, by name."""
    folder = Path(__file__).parent
    found = {path.stem: path for path in folder.glob("*.toml")}
    return dict(sorted(found.items()))


def load(name: str, device: str) -> Scenario:
    """The scenario of that name, or in the file of that path, as it is on a device.

    Raises:
        UsageError: there is none, or the file is wrong; says where and what is allowed.
    """
    known = shipped()
    path = known.get(name) or Path(name)
    if name not in known and not name.endswith(".toml"):
        raise UsageError(
            f"no scenario {name!r}: there are {', '.join(known)}; "
            "one of your own is the path of a .toml file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"cannot read the scenario {path}: {reason}") from error
    return _File(path, text, "cpu" if device == "cpu" else "gpu").scenario()


class _File:
    """One scenario file, and the positions of its keys."""

    def __init__(self, path: Path, text: str, kind: str) -> None:
        self._path, self._text, self._kind = path, text, kind

    def scenario(self) -> Scenario:
        try:
            data = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            message, _, at = str(error).rpartition(" (at line ")
            line = at.partition(",")[0] if at else str(self._text.count("\n") + 1)
            raise UsageError(f"{self._path}:{line}: {message or error}") from error
        top = self._checked(data, TOP, "", 0)
        programs = tuple(self._programs(top["program"]))
        names = [program.name for program in programs]
        bars = tuple(self._bars(top.get("bar", []), names))
        rest = {key: top[key] for key in ("title", "together", "start_timeout", "answer_timeout")}
        return Scenario(
            name=self._path.stem, programs=programs, bars=bars, modes=tuple(top["modes"]), **rest
        )

    def _programs(self, tables: list[dict[str, Any]]) -> Iterator[Program]:
        names: set[str] = set()
        for number, table in enumerate(tables):
            values = self._checked(table, PROGRAM, "program", number)
            if values["name"] in names:
                self._wrong("program", number, "name", f"{values['name']!r} is there twice")
            names.add(values["name"])
            if bool(values["model"]) == bool(values["command"]):
                both = " and there are both" if values["model"] else ""
                said = f"one of model and command is required{both}"
                self._wrong("program", number, "", said)
            yield Program(
                name=values["name"],
                arrivals=self._arrivals(number, values),
                priority=values["priority"],
                model=values["model"],
                task=values["task"],
                sizes=self._sizes(number, values),
                command=tuple(values["command"]),
                environment=values["environment"],
                hints=values["hints"],
            )

    def _arrivals(self, number: int, values: Mapping[str, Any]) -> Arrivals:
        process, rate, busy = values["arrivals"], values["rate"], values["busy"]
        trace: tuple[float, ...] = ()
        if process == "trace":
            if values["trace"] is None:
                self._wrong("program", number, "arrivals", '"trace" needs trace = "FILE"')
            trace = self._trace(number, values["trace"])
        elif process in ("fixed", "poisson") and not values["command"]:
            if rate is None and busy is None:
                self._wrong("program", number, "arrivals", f'"{process}" needs rate or busy')
        elif (rate, busy) != (None, None):
            what = (
                "a command makes its own requests" if values["command"] else f'not for "{process}"'
            )
            self._wrong("program", number, "busy" if rate is None else "rate", what)
        return Arrivals(process, rate, busy, trace)

    def _trace(self, number: int, name: str) -> tuple[float, ...]:
        """The moments in a trace file: one number of seconds a line, ascending."""
        path = self._path.parent / name
        try:
            moments = tuple(float(line) for line in path.read_text().split())
        except OSError as error:
            self._wrong("program", number, "trace", f"cannot read {path}: {error.strerror}")
        except ValueError as error:
            self._wrong("program", number, "trace", f"{path} has to hold numbers: {error}")
        if len(moments) < 2 or list(moments) != sorted(moments) or moments[0] < 0:
            allowed = "two or more ascending numbers of seconds from 0"
            self._wrong("program", number, "trace", f"{path} has to hold {allowed}")
        return moments

    def _sizes(self, number: int, values: Mapping[str, Any]) -> tuple[Size, ...]:
        model, sizes = values["model"], values["sizes"]
        if model is None:
            return ()
        known = SIZES[model]
        for size in sizes or []:
            for key, value in size.items():
                if key not in known:
                    allowed = f"{model} has {', '.join(known)}"
                    self._wrong("program", number, key, f"unknown; {allowed}", inside=True)
                if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                    said = f"{value!r} is not allowed; allowed: a whole number from 1"
                    self._wrong("program", number, key, said, inside=True)
        return tuple({**known, **size} for size in sizes or [{}])

    def _bars(self, tables: list[dict[str, Any]], names: list[str]) -> Iterator[Bar]:
        for number, table in enumerate(tables):
            values = self._checked(table, BAR, "bar", number)
            order = tuple(values["order"])
            for key, given in (("program", [values["program"]]), ("order", order)):
                for name in filter(None, given):
                    if name not in names:
                        said = f"{name!r} is no program; there are {', '.join(names)}"
                        self._wrong("bar", number, key, said)
            if bool(values["program"]) == bool(order):
                self._wrong("bar", number, "", "one of program and order is required")
            limits = [key for key in ("at_most", "at_least") if table.get(key) is not None]
            if len(limits) != (0 if order else 1):
                said = "no limit with order" if order else "one of at_most and at_least is required"
                self._wrong("bar", number, "", said)
            at_most, at_least = values["at_most"], values["at_least"]
            if order or (at_most, at_least) != (None, None):  # else it is for the other devices
                yield Bar(
                    values["figure"], values["program"], order, at_most, at_least, values["mode"]
                )

    def _checked(
        self, table: Mapping[str, Any], rules: Mapping[str, Rule], name: str, number: int
    ) -> dict[str, Any]:
        """The values of a table, resolved for the device, with the defaults of what is missing."""
        for key in table:
            if key not in rules:
                self._wrong(name, number, key, f"unknown; allowed: {', '.join(rules)}")
        values = {}
        for key, rule in rules.items():
            value = table.get(key)
            if rule.by_device and isinstance(value, dict) and value and set(value) <= _KINDS:
                for each in value.values():
                    self._check(rule, each, name, number, key)
                value = value.get(self._kind)
            elif value is not None:
                self._check(rule, value, name, number, key)
            elif rule.required:
                self._wrong(name, number, "", f"{key} is required: {rule.allowed}")
            values[key] = rule.default if value is None else value
        return values

    def _check(self, rule: Rule, value: object, name: str, number: int, key: str) -> None:
        if not rule.ok(value):
            allowed = rule.allowed
            if rule.by_device:
                allowed += ", or a table with cpu and gpu of such"
            self._wrong(name, number, key, f"{value!r} is not allowed; allowed: {allowed}")

    def _wrong(
        self, table: str, number: int, key: str, what: str, inside: bool = False
    ) -> NoReturn:
        where = f"{self._path}:{self._line(table, number, key, inside)}"
        raise UsageError(f"{where}: {f'{key}: ' if key else ''}{what}")

    def _line(self, table: str, number: int, key: str, inside: bool) -> int:
        """The line of a key, or of its table where it has none; tomllib does not tell."""
        wanted = re.compile(rf"{'.*' if inside else ''}\s*[\"']?{re.escape(key)}[\"']?\s*=")
        current, count, header = "", -1, 1
        for at, line in enumerate(self._text.splitlines(), 1):
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
        return header
