"""Reads what is to be simulated: a scenario in TOML, or what was measured in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from giveway.errors import UsageError
from giveway.scenarios.document import Document, Values, shipped, text_of
from giveway.scenarios.schema import ATTRIBUTES, LAUNCHES, MAX_TASKS, MODEL, RUN, Rule
from giveway.sched.task import Attributes
from giveway.simulate import measured
from giveway.simulate.scenario import SECOND, Model, Program, Scenario

_FOR: Final = {"saturating": {"gap"}, "fixed": {"period", "rate", "phase"}} | {
    "poisson": {"period", "rate"}
}
_TIMING: Final = {"period", "rate", "gap", "phase"}


def load(path: Path) -> Scenario:
    """Reads a scenario, or makes one of what ``trace --json``, ``bench`` or ``demo --json`` wrote.

    Args:
        path: of a file, or the name of a scenario that comes with giveway.

    Raises:
        UsageError: it cannot be read or is wrong; says the file, the line, the key and what is
            allowed.
    """
    path = shipped().get(str(path)) or path
    text = text_of(path)
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
        document.wrong("simulation", 0, "warm", "has to be shorter than the duration")
    if sum(program.count for program in scenario.programs) > MAX_TASKS:
        document.wrong("", 0, "count", f"more than {MAX_TASKS} tasks in all")
    for n, program in enumerate(scenario.programs):
        if program.device is not None and program.device >= scenario.devices:
            document.wrong("program", n, "device", f"there are {scenario.devices}, from 0")
    return scenario


def _fields(values: Values, rules: Mapping[str, Rule]) -> dict[str, Any]:
    """What a file says, by the names of the fields that it is for."""
    return {rule.field: values[key] for key, rule in rules.items() if values[key] is not None}


def _program(document: Document, n: int, values: Values) -> Program:
    fields = _fields(values, LAUNCHES)
    if "launch_ns" not in fields:
        what = "a simulation needs launch: the device time of a launch, such as 20us"
        document.wrong("program", n, "", what)
    arrivals = values["arrivals"]
    if arrivals == "trace":
        document.wrong("program", n, "arrivals", "a simulation has no traces of arrivals")
    timing = {key for key in _TIMING if values[key] is not None}
    for key in sorted(timing - _FOR[arrivals]):
        allowed = " or ".join(sorted(_FOR[arrivals]))
        document.wrong("program", n, key, f"{arrivals} arrivals have {allowed}")
    if {"period", "rate"} <= timing:
        document.wrong("program", n, "rate", "there is a period already")
    if arrivals != "saturating":
        if not {"period", "rate"} & timing:
            document.wrong("program", n, "", f'arrivals "{arrivals}" need rate or period')
        fields["period_ns"] = values["period"] or round(SECOND / values["rate"])
    return Program(
        name=values["name"],
        arrivals=arrivals,
        attributes=Attributes(priority=values["priority"], **_fields(values, ATTRIBUTES)),
        **fields,
    )
