"""A scenario at several loads of its urgent program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from giveway.errors import UsageError
from giveway.scenarios.model import Scenario


def parse_loads(text: str) -> tuple[float, ...]:
    """The loads in a list such as ``0.1,0.5``, ascending.

    Raises:
        UsageError: a load is not above 0 and below 1, or is given twice.
    """
    loads = []
    for word in text.split(","):
        try:
            load = float(word)
        except ValueError:
            load = math.nan
        if not 0 < load < 1:
            raise UsageError(f"--load: {word.strip()!r} is not a share above 0 and below 1")
        loads.append(load)
    if len(set(loads)) < len(loads):
        raise UsageError(f"--load: a load is given twice: {text}")
    return tuple(sorted(loads))


def at_loads(scenario: Scenario, loads: Sequence[float]) -> list[Scenario]:
    """The scenario at each load.

    Raises:
        UsageError: the rate of its urgent program cannot be set.
    """
    urgent = scenario.urgent
    why = None
    if not scenario.together:
        why = "its programs run one at a time"
    elif not urgent.arrivals.open_loop:
        why = f"its urgent program {urgent.name} is saturating, and has no rate"
    elif urgent.model is None and urgent.server is None:
        why = f"its urgent program {urgent.name} makes its own requests"
    if why is not None:
        raise UsageError(f"--load does not apply to {scenario.name}: {why}")
    return [
        replace(scenario, name=f"{scenario.name}@{load:g}", family=scenario.name, load=load)
        for load in loads
    ]
