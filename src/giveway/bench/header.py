"""The header of a result, which is written when a run starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from giveway.bench.segments import Settings
from giveway.devices.machine import machine, versions
from giveway.results import store
from giveway.scenarios.model import Scenario
from giveway.scenarios.modes import ordered


def header(
    settings: Settings, scenarios: Sequence[Scenario], at_start: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The content of ``run.json``: machine, versions, settings and names of the scenarios.

    Args:
        at_start: what `giveway.bench.surroundings.at_start` found.
    """
    return {
        "kind": store.KIND,
        "schema": store.SCHEMA,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": settings.device,
        "machine": machine(settings.device),
        "versions": versions(),
        "settings": {
            "modes": list(ordered(mode for each in scenarios for mode in each.modes)),
            "seconds": settings.seconds,
            "repeats": settings.repeats,
            "warm_seconds": settings.warm_seconds,
            "anyway": settings.anyway,
        },
        "at_start": dict(at_start or {}),
        "scenarios": [each.name for each in scenarios],
    }
