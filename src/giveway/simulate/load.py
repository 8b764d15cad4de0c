"""Reads the input of a simulation: a scenario in TOML, or a measured result in JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from giveway.errors import UsageError
from giveway.scenarios.document import Document, Values, no_such, read_text, shipped
from giveway.scenarios.schema import ATTRIBUTES, LAUNCHES, MAX_TASKS, MODEL, RUN, Rule
from giveway.sched.task import Attributes
from giveway.simulate import measured
from giveway.simulate.scenario import SECOND, Model, Program, Scenario

_FOR: Final = {"saturating": {"gap"}, "fixed": {"period", "rate", "phase"}} | {
    "poisson": {"period", "rate"}
}
_TIMING: Final = {"period", "rate", "gap", "phase"}


def load(path: Path) -> Scenario:
    """Reads a scenario, or derives one from the output of ``trace --json``, ``bench`` or ``demo
    --json``.

    Args:
        path: the path of a file, or the name of a scenario that is part of giveway.

    Raises:
        UsageError: the file cannot be read or is invalid; the text has the file, the line, the key
            and the allowed values.
    """
    name = str(path)
    if name not in shipped() and not path.suffix and not os.path.exists(path):
        raise no_such(name)
    path = shipped().get(name) or path
    text = read_text(path)
    if text.lstrip().startswith("{"):
        try:
            return measured.scenario(path.name, json.loads(text))
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}:{error.lineno}: {error.msg}") from error
    return _scenario(Document(path, text, "gpu"))


def _scenario(document: Document) -> Scenario:
    scenario = Scenario(
        name=document.path.stem,
        programs=tuple(_program(document, n, each) for n, each in enumerate(document.programs)),
        model=Model(**_fields(document.simulation, MODEL)),
        **_fields(document.simulation, RUN),
    )
    if scenario.warm_ns >= scenario.duration_ns:
        document.reject("simulation", 0, "warm", "must be shorter than the duration")
    if sum(program.count for program in scenario.programs) > MAX_TASKS:
        document.reject("", 0, "count", f"more than {MAX_TASKS} tasks in all")
    for n, program in enumerate(scenario.programs):
        if program.device is not None and program.device >= scenario.devices:
            document.reject("program", n, "device", f"there are {scenario.devices}, from 0")
    return scenario


def _fields(values: Values, rules: Mapping[str, Rule]) -> dict[str, Any]:
    """The values of a table that are given, keyed by the fields that store them."""
    return {rule.field: values[key] for key, rule in rules.items() if values[key] is not None}


def _program(document: Document, n: int, values: Values) -> Program:
    fields = _fields(values, LAUNCHES)
    if "launch_ns" not in fields:
        what = "a simulation needs launch: the device time of a launch, such as 20us"
        document.reject("program", n, "", what)
    arrivals = values["arrivals"]
    if arrivals == "trace":
        document.reject("program", n, "arrivals", "a simulation has no traces of arrivals")
    timing = {key for key in _TIMING if values[key] is not None}
    for key in sorted(timing - _FOR[arrivals]):
        allowed = " or ".join(sorted(_FOR[arrivals]))
        document.reject("program", n, key, f"{arrivals} arrivals have {allowed}")
    if {"period", "rate"} <= timing:
        document.reject("program", n, "rate", "the period is already given")
    if arrivals != "saturating":
        if not {"period", "rate"} & timing:
            document.reject("program", n, "", f'arrivals "{arrivals}" need rate or period')
        fields["period_ns"] = values["period"] or round(SECOND / values["rate"])
    return Program(
        name=values["name"],
        arrivals=arrivals,
        attributes=Attributes(priority=values["priority"], **_fields(values, ATTRIBUTES)),
        **fields,
    )
