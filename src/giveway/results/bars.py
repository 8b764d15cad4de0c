"""Evaluates the bars of a scenario: PASS, FAIL, or NOT MEASURED with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from giveway.scenarios.model import Bar

PASS: Final = "PASS"
FAIL: Final = "FAIL"
NOT_MEASURED: Final = "NOT MEASURED"

NEEDED: Final = {"p99_ms": 100, "p99_ratio": 100, "p999_ms": 1000}
"""The fewest requests in all rounds together for which each figure means anything. With fewer
requests, the percentile is only the largest latency."""

Modes = Mapping[str, Mapping[str, Any]]


class _UnknownError(Exception):
    """A figure is missing; the text of the exception is the reason."""


def evaluate(
    bar: Bar, modes: Modes, why_not: Mapping[str, str], failure: str | None
) -> dict[str, Any]:
    """Returns the verdict on one bar, as JSON values.

    Args:
        bar: the condition that must hold.
        modes: the figures, by mode and program.
        why_not: by mode, the reason why the mode was not measured.
        failure: the reason why the bar cannot be judged, or None.
    """
    found: dict[str, Any] = {
        "text": bar.text(),
        "figure": bar.figure,
        "mode": bar.mode,
        "program": bar.program or None,
        "order": list(bar.order) or None,
        "at_most": bar.at_most,
        "at_least": bar.at_least,
        "value": None,
        "interval": None,
        "verdict": NOT_MEASURED,
        "reason": None,
    }
    if failure is not None:
        return found | {"reason": failure}
    if bar.mode not in modes:
        return found | {"reason": why_not.get(bar.mode, f"the mode {bar.mode} was not requested")}
    try:
        if bar.order:
            values = [_figure(bar, modes[bar.mode], name)[0] for name in bar.order]
            holds = values == sorted(values)
            return found | {"value": values, "verdict": PASS if holds else FAIL}
        value, interval = _figure(bar, modes[bar.mode], bar.program)
    except _UnknownError as unknown:
        return found | {"reason": str(unknown)}
    holds = value <= bar.at_most if bar.at_most is not None else value >= (bar.at_least or 0.0)
    return found | {"value": value, "interval": interval, "verdict": PASS if holds else FAIL}


def _figure(bar: Bar, programs: Mapping[str, Any], name: str) -> tuple[float, list[float] | None]:
    figures = programs.get(name)
    if figures is None:
        raise _UnknownError(f"{name} was not measured in the mode {bar.mode}")
    needed = NEEDED.get(bar.figure, 1)
    if figures["requests"] < needed:
        raise _UnknownError(
            f"{name} had {figures['requests']} requests, and {bar.figure} needs {needed}: "
            "increase --seconds or --repeats"
        )
    found = figures[bar.figure]
    if isinstance(found, dict):
        return found["value"], found["interval"]
    if found is None:
        needs = "the mode alone"
        if bar.figure == "share_of_left":
            needs += (
                ", with known busy shares of the more urgent programs and some device time left"
            )
        raise _UnknownError(f"{bar.figure} of {name} needs {needs}")
    return found, None
