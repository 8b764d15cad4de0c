"""Reads what is to be simulated: a scenario in TOML, or what was measured in JSON."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from giveway.errors import UsageError, choices
from giveway.sched import attributes
from giveway.sched.attributes import Kind, duration, real, whole, word, yes
from giveway.sched.placement import PRECISION
from giveway.sched.task import Attributes
from giveway.simulate import measured
from giveway.simulate.scenario import MS, SECOND, Arrivals, Model, Placement, Program, Scenario

MAX_TASKS: Final = 100_000


def _arrivals(text: str) -> Arrivals:
    for known in ("continuous", "periodic", "poisson"):
        if text == known:
            return known
    raise ValueError


def placement(text: str) -> Placement:
    """Reads the name of a placement; raises ValueError, as all of these do."""
    for known in ("next", "fractions", "urgent"):
        if text == known:
            return known
    raise ValueError


def _gpus(text: str) -> float:
    value = real(0, 1)(text)
    if round(value, PRECISION) != value:
        raise ValueError
    return value


def _jitter(text: str) -> float:
    if not 0 <= float(text) < 1:
        raise ValueError
    return float(text)


def _period(text: str) -> int:
    return round(SECOND / real(0, 1e6)(text))


PLACEMENTS: Final = "next, fractions or urgent"
_TIME: Final = "a time such as 20ms"

SCENARIO: Final = {
    "name": Kind("name", word, "a name of up to 64 characters"),
    "duration": Kind("duration_ns", duration(MS), "a time from 1ms to 3600s"),
    "warm": Kind("warm_ns", duration(0), _TIME),
    "seed": Kind("seed", whole(0, 1 << 62), "a whole number from 0"),
    "devices": Kind("devices", whole(1, MAX_TASKS), f"1 to {MAX_TASKS}"),
    "devices_per_node": Kind("devices_per_node", whole(1, 64), "1 to 64"),
    "placement": Kind("placement", placement, PLACEMENTS),
    "spread": Kind("spread", yes, "true or false"),
}
MODEL: Final = {
    "window": Kind("window_ns", duration(0), _TIME),
    "gate_delay": Kind("gate_delay_ns", duration(0), _TIME),
    "linger": Kind("linger_ns", duration(0), _TIME),
    "interrupt": Kind("interrupt", yes, "true or false"),
    "max_wait": Kind("max_wait_ns", duration(0), _TIME),
    "quantum": Kind("quantum_ns", duration(1), _TIME),
    "timeslice": Kind("timeslice_ns", duration(1000), "a time from 1us"),
}
TASK: Final = {
    "name": SCENARIO["name"],
    "arrivals": Kind("arrivals", _arrivals, "continuous, periodic or poisson"),
    "launch": Kind("launch_ns", duration(1000), "a time from 1us"),
    "launches": Kind("launches", whole(1, 1_000_000), "1 to 1000000"),
    "jitter": Kind("jitter", _jitter, "0 to less than 1"),
    "period": Kind("period_ns", duration(1000), "a time from 1us"),
    "rate": Kind("period_ns", _period, "a number of requests a second, above 0"),
    "gap": Kind("period_ns", duration(0), _TIME),
    "phase": Kind("phase_ns", duration(0), _TIME),
    "gpus": Kind("gpus", _gpus, "above 0, up to 1, with four decimal places at most"),
    "count": Kind("count", whole(1, MAX_TASKS), f"1 to {MAX_TASKS}"),
    "device": Kind("device", whole(0, MAX_TASKS), "the number of a device, from 0"),
    "process": Kind("process", word, "a name of up to 64 characters"),
    "start": Kind("start_ns", duration(0), _TIME),
    "stop": Kind("stop_ns", duration(0), _TIME),
}
_FOR: Final = {"continuous": {"gap"}, "periodic": {"period", "phase"}, "poisson": {"rate"}}


def load(path: Path) -> Scenario:
    """Reads a scenario, or makes one of what ``trace --json``, ``bench`` or ``demo --json`` wrote.

    Raises:
        UsageError: it cannot be read or is wrong; says the file, the line, the key and what is
            allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text") from None
    if text.lstrip().startswith("{"):
        try:
            return measured.scenario(path.name, json.loads(text))
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}:{error.lineno}: {error.msg}") from error
    try:
        return _Reader(str(path), text).scenario(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise UsageError(f"{path}:{line[1] if line else '1'}: not TOML: {error}") from error


class _Reader:
    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()

    def scenario(self, document: dict[str, Any]) -> Scenario:
        tables, model = document.pop("task", None), document.pop("model", {})
        if not isinstance(tables, list) or not tables:
            raise self.error("", 0, "task", "there has to be at least one [[task]]")
        if not isinstance(model, dict):
            raise self.error("", 0, "model", "is a table: [model]")
        values = self.read("", 0, document, SCENARIO, {*SCENARIO, "task", "model"})
        programs = tuple(self.program(n, table) for n, table in enumerate(tables))
        scenario = Scenario(
            name=values.pop("name", Path(self.path).stem),
            programs=programs,
            model=Model(**self.read("model", 0, model, MODEL, set(MODEL))),
            **values,
        )
        self.check(scenario)
        return scenario

    def check(self, scenario: Scenario) -> None:
        if scenario.warm_ns >= scenario.duration_ns:
            raise self.error("", 0, "warm", "has to be shorter than the duration")
        if sum(program.count for program in scenario.programs) > MAX_TASKS:
            raise self.error("", 0, "count", f"more than {MAX_TASKS} tasks in all")
        names: set[str] = set()
        for n, program in enumerate(scenario.programs):
            if program.name in names:
                raise self.error("task", n, "name", f"{program.name!r} is there twice")
            names.add(program.name)
            if program.device is not None and program.device >= scenario.devices:
                raise self.error("task", n, "device", f"there are {scenario.devices}, from 0")

    def program(self, n: int, table: Any) -> Program:
        if not isinstance(table, dict):
            raise self.error("task", n, "", "is a table: [[task]]")
        own = {key: value for key, value in table.items() if key not in attributes.KINDS}
        values = self.read("task", n, own, TASK, {*TASK, *attributes.KINDS})
        for key in ("name", "arrivals", "launch"):
            if TASK[key].field not in values:
                raise self.error("task", n, "", f"{key!r} is missing: {TASK[key].allowed}")
        arrivals = values["arrivals"]
        timing = {"period", "rate", "gap", "phase"} & own.keys()
        allowed = _FOR[arrivals] | ({"period"} if arrivals == "poisson" else set())
        for key in sorted(timing - allowed):
            raise self.error(
                "task", n, key, f"{arrivals} tasks have {' or '.join(sorted(allowed))}"
            )
        if {"period", "rate"} <= timing:
            raise self.error("task", n, "rate", "there is a period already")
        if arrivals != "continuous" and "period_ns" not in values:
            raise self.error("task", n, "", f"{sorted(_FOR[arrivals])[0]!r} is missing")
        said = {key: value for key, value in table.items() if key in attributes.KINDS}
        return Program(attributes=Attributes(**self.attributes(n, said)), **values)

    def attributes(self, n: int, said: Mapping[str, Any]) -> dict[str, Any]:
        return self.read("task", n, said, attributes.KINDS, set(attributes.KINDS))

    def read(
        self,
        table: str,
        n: int,
        said: Mapping[str, Any],
        kinds: Mapping[str, Kind],
        known: set[str],
    ) -> dict[str, Any]:
        values = {}
        for key, value in said.items():
            if key not in kinds:
                raise self.error(table, n, key, f"unknown: {choices(key, known)}")
            kind = kinds[key]
            text = ("no", "yes")[value] if isinstance(value, bool) else str(value)
            try:
                if isinstance(value, bool) is not (kind.parse is yes):
                    raise ValueError
                values[kind.field] = kind.parse(text)
            except ValueError:
                raise self.error(
                    table, n, key, f"cannot be {text!r}: it is {kind.allowed}"
                ) from None
            except UsageError as error:
                raise self.error(table, n, key, str(error)) from None
        return values

    def error(self, table: str, n: int, key: str, what: str) -> UsageError:
        title = {"": "", "model": "[model] ", "task": f"[[task]] {n + 1}"}[table]
        subject = " ".join(filter(None, [title.strip(), key]))
        return UsageError(f"{self.path}:{self.line(table, n, key)}: {subject}: {what}")

    def line(self, table: str, n: int, key: str) -> int:
        """Where a key stands, or else its table; tomllib does not say."""
        at, here, inside = 1, -1, table == ""
        pattern = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
        for number, line in enumerate(self.lines, 1):
            header = re.match(r"\s*\[\[?\s*[\"']?([^\]\"']*?)[\"']?\s*\]", line)
            if header:
                here += header[1] == table
                inside = header[1] == table and here == n
                at = number if inside else at
            elif inside and key and pattern.match(line):
                return number
        return at
