"""Judges the bars of a scenario: PASS, FAIL, NOT SHOWN, or NOT MEASURED with the reason.

A bar is judged by the interval of its figure. It passes if the whole interval is on the right side
of the limit, and fails if the whole interval is on the wrong side. Otherwise neither is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from giveway.results.stats import interval
from giveway.scenarios.model import FIGURES, TIMES, Bar

PASS: Final = "PASS"
FAIL: Final = "FAIL"
NOT_SHOWN: Final = "NOT SHOWN"
NOT_MEASURED: Final = "NOT MEASURED"

NEEDED: Final = {
    **dict.fromkeys(("p99_ms", "p99_ratio"), 100),
    **{f"{time}_p99_{unit}": 100 for time in TIMES for unit in ("ms", "ratio")},
    "p999_ms": 1000,
}
"""The fewest requests in all rounds together for which each figure means anything. With fewer
requests, the percentile is only the largest latency."""
EXTREMES: Final = ("max_ms", "worst_share_of_alone")
"""Figures that are the extreme of what was measured: they are facts, and have no interval."""
ONE_ROUND: Final = "one round has no interval: increase --repeats"

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
    if bar.figure not in FIGURES:
        return found | {"reason": f"{bar.figure} is no longer a figure"}
    if bar.mode not in modes:
        return found | {"reason": why_not.get(bar.mode, f"the mode {bar.mode} was not requested")}
    try:
        if bar.order:
            return found | _order(bar, modes[bar.mode])
        value, edges = _figure(bar, modes[bar.mode], bar.program)
    except _UnknownError as unknown:
        return found | {"reason": str(unknown)}
    found |= {"value": value, "interval": edges}
    if bar.figure in EXTREMES:
        edges = [value, value]
    if edges is None:
        return found | {"verdict": NOT_SHOWN, "reason": ONE_ROUND}
    low, high = edges
    if bar.at_most is not None:
        return found | {"verdict": _verdict(holds=high <= bar.at_most, fails=low > bar.at_most)}
    least = bar.at_least or 0.0
    return found | {"verdict": _verdict(holds=low >= least, fails=high < least)}


def _verdict(*, holds: bool, fails: bool) -> str:
    return PASS if holds else FAIL if fails else NOT_SHOWN


def _order(bar: Bar, programs: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict on an order: each program's figure by that of the one before, round by round."""
    value = [_figure(bar, programs, name)[0] for name in bar.order]
    verdicts = []
    for first, second in pairwise(bar.order):
        below, above = (_numbered(bar.figure, programs[name]) for name in (first, second))
        edges = interval(
            [above[each] / below[each] for each in below if each in above and below[each]]
        )
        if edges is None:
            return {"value": value, "verdict": NOT_SHOWN, "reason": ONE_ROUND}
        verdicts.append(_verdict(holds=edges[0] >= 1, fails=edges[1] < 1))
    worst = (each for each in (FAIL, NOT_SHOWN, PASS) if each in verdicts)
    return {"value": value, "verdict": next(worst)}


def _figure(bar: Bar, programs: Mapping[str, Any], name: str) -> tuple[float, list[float] | None]:
    figures = programs.get(name)
    if figures is None:
        raise _UnknownError(f"{name} was not measured in the mode {bar.mode}")
    if figures["not_measured"] is not None:
        raise _UnknownError(figures["not_measured"])
    needed = NEEDED.get(bar.figure, 1)
    # Not every request has every time: an answer of one token has none per token.
    had = figures.get(f"{bar.figure.partition('_')[0]}_requests") or figures["requests"]
    if had < needed:
        raise _UnknownError(
            f"{name} had {had} requests, and {bar.figure} needs {needed}: "
            "increase --seconds or --repeats"
        )
    found = figures.get(bar.figure)
    if found is None:
        raise _UnknownError(f"{bar.figure} of {name} {_need(bar.figure, figures)}")
    if isinstance(found, dict):
        return found["value"], found["interval"]
    edges = interval(_by_round(bar.figure, figures))
    return found, None if edges is None else [round(edge, 4) for edge in edges]


def _need(figure: str, figures: Mapping[str, Any]) -> str:
    time, _, unit = figure.rpartition("_")
    if unit == "ratio" and figures.get(f"{time}_ms") is not None:
        return "needs the mode alone"
    if figure == "kept_of_native":
        return "needs the mode native, and a program without a given rate"
    if figure == "slo_share":
        return "needs an slo, and a program that measures the times that it limits"
    if figure.startswith("tpot"):
        return "needs answers that come token by token"
    if figure.startswith(("ttft", "tokens")):
        return "needs a program that answers with tokens"
    if figure.startswith("service"):
        return "needs a program that knows its work on a request"
    if "share" in figure:
        return "needs the mode alone, and a program without a given rate"
    return "needs the mode alone"


def _by_round(figure: str, figures: Mapping[str, Any]) -> Sequence[float]:
    found = figures[figure]
    if isinstance(found, dict):
        return list(found["by_round"])
    return list(_numbered(figure, figures).values())


def _numbered(figure: str, figures: Mapping[str, Any]) -> dict[int, float]:
    """The values of a figure by the number of the round: not every program has every round."""
    rounds = [each for each in figures["rounds"] if each["fault"] is None]
    found = figures[figure]
    if not isinstance(found, dict):
        return {each["round"]: each[figure] for each in rounds if each[figure] is not None}
    if len(found["by_round"]) < len(rounds):
        return {}  # Which rounds have no ratio is not known.
    return dict(zip((each["round"] for each in rounds), found["by_round"], strict=True))
