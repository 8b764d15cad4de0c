"""What is left of each program's throughput, by mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from giveway.bench.verdict import Scenario
from giveway.report import plot, words
from giveway.report.markup import Markup, element, joined
from giveway.report.scale import Linear, Scale

_ROW: Final = 44
_BAR: Final = 14
_KEPT_UP: Final = 0.98
"""Of the requests, answered within the run: the last few are still under way at its end."""


def chart(scenario: Scenario) -> Markup | None:
    """A bar for each program and mode, in shares of what the program does alone; None where alone
    was not measured."""
    rows = []
    kept_up = []
    for program, described in scenario["programs"].items():
        measured = [
            (program, mode, programs[program])
            for mode, programs in scenario["modes"].items()
            if programs.get(program, {}).get("share_of_alone")
        ]
        worst = min((each["share_of_alone"]["value"] for _, _, each in measured), default=0.0)
        if described["arrivals"] != "saturating" and worst >= _KEPT_UP:
            kept_up.append(program)
        else:
            rows += measured
    if not rows:
        return None
    largest = max(_largest(figures["share_of_alone"]) for _, _, figures in rows)
    x = Linear(0, max(1.0, min(largest, 2.0)) * 104, "%")
    height = _ROW * len(rows)
    said = "; ".join(
        f"{program} {words.mode(mode)}: {words.percentage(figures['share_of_alone'])}"
        for program, mode, figures in rows
    )
    title = "Throughput"
    bars = [_bar(x, number, *row) for number, row in enumerate(rows)]
    picture = plot.drawing(
        title, f"Of its throughput alone, each program had: {said}.", height,
        plot.x_axis(x, "of its throughput alone"), *bars,
    )  # fmt: skip
    note = (
        "The thin line is the 95% interval. ◆ is what the more urgent programs leave, by the time "
        "that they are at work when alone."
    )
    if kept_up:
        note += f" {' and '.join(kept_up)} answered all requests in every mode."
    return plot.figure("bars", title, note, element("div", picture, class_="plot wide"))


def _bar(x: Scale, number: int, program: str, mode: str, figures: Mapping[str, Any]) -> Markup:
    of_alone, of_left = figures["share_of_alone"], figures["share_of_left"]
    top = number * _ROW + 22
    middle = top + _BAR / 2
    left = of_alone["value"] / of_left["value"] if of_left and of_left["value"] else None
    name = joined(
        (
            element("tspan", program, class_="strong"),
            f" {words.mode(mode)}: {words.share(of_alone['value'])}, "
            f"{words.number(figures['throughput'])}/s",
        )
    )
    return joined(
        (
            element("text", name, x="0%", y=top - 6),
            element(
                "rect",
                x="0%",
                y=top,
                width=plot.percent(min(1.0, x.at(100 * of_alone["value"]))),
                height=_BAR,
                rx=2,
                class_=f"fill mode-{mode}",
            ),
            plot.whisker(x, of_alone["interval"], middle, 100),
            None
            if left is None
            else plot.text(
                "◆", min(1.0, x.at(100 * left)), middle, dy="0.36em", text_anchor="middle",
                class_="left-over",
            ),
        )
    )  # fmt: skip


def _largest(estimate: Mapping[str, Any]) -> float:
    return float(estimate["value"])
