"""The chart of all scenarios: how much longer urgent requests take than alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from giveway.report import words
from giveway.report.sentences import answers_requests
from giveway.report.svg import plot
from giveway.report.svg.markup import Markup, element, joined
from giveway.report.svg.scale import Log, Scale
from giveway.results.names import mode_name
from giveway.results.verdict import Scenario, urgent_and_other

_ROW: Final = 52
_SHOWN: Final = ("native", "giveway")


def ratios(scenario: Scenario) -> dict[str, Any]:
    """The p99 of the most urgent program over its p99 alone, by mode: without giveway and with it.

    Empty if either was not measured.
    """
    if not answers_requests(scenario):
        return {}
    urgent, _ = urgent_and_other(scenario)
    found = {
        mode: scenario["modes"].get(mode, {}).get(urgent, {}).get("p99_ratio") for mode in _SHOWN
    }
    return found if all(found.values()) else {}


def chart(scenarios: Sequence[Scenario]) -> Markup | None:
    """A row for each scenario that was measured with giveway and without; None without any."""
    rows = [(each, found) for each in scenarios if (found := ratios(each))]
    if not rows:
        return None
    values = [ratio["value"] for _, found in rows for ratio in found.values()]
    x = Log.around([*values, 0.9, 1.1], " ×")
    listed = "; ".join(
        f"{each['name']}: {words.ratio(found['giveway'])} with giveway, "
        f"{words.ratio(found['native'])} without"
        for each, found in rows
    )
    title = "The p99 of the urgent program, relative to its p99 alone"
    picture = plot.drawing(
        title, f"{listed}.", _ROW * len(rows),
        plot.x_axis(x, "times its p99 alone"), _alone(x),
        *(_row(x, number, each, found) for number, (each, found) in enumerate(rows)),
    )  # fmt: skip
    entries = [(_mark(mode, 0.5, 7), mode_name(mode)) for mode in _SHOWN]
    note = "Thin lines are 95% intervals. At 1 ×, the program is as fast as without rivals."
    return plot.figure(
        "overview", title, note, plot.legend(entries),
        element("div", picture, class_="plot wide"),
    )  # fmt: skip


def _alone(x: Scale) -> Markup:
    at = plot.percent(x.at(1.0))
    return element("line", x1=at, x2=at, y1="0%", y2="100%", class_="reference")


def _row(x: Scale, number: int, scenario: Scenario, found: dict[str, Any]) -> Markup:
    y = number * _ROW + 34
    native, giveway = (x.at(found[mode]["value"]) for mode in _SHOWN)
    name = joined(
        (
            element("tspan", words.short(scenario["name"]), class_="strong"),
            f" {words.times(found['native']['value'])} → {words.times(found['giveway']['value'])}",
        )
    )
    return joined(
        (
            element("text", name, x="0%", y=y - 14),
            element(
                "line", x1=plot.percent(native), x2=plot.percent(giveway), y1=y, y2=y,
                class_="from-to",
            ),
            *(plot.whisker(x, found[mode]["interval"], y) for mode in _SHOWN),
            _mark("native", native, y),
            _mark("giveway", giveway, y),
        )
    )  # fmt: skip


def _mark(mode: str, x: float, y: float) -> Markup:
    """A circle with giveway, a ring without, so that colour is not the only difference."""
    ring = " ring" if mode == "native" else ""
    return element("circle", cx=plot.percent(x), cy=y, r=6, class_=f"dot{ring} mode-{mode}")
