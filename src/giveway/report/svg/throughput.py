"""The chart of throughput: the share that each program keeps of its throughput alone, by mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from giveway.report import words
from giveway.report.svg import plot
from giveway.report.svg.markup import Child, Markup, element, joined
from giveway.report.svg.scale import Linear, Scale
from giveway.results.names import mode_name
from giveway.results.verdict import Scenario

_ROW: Final = 42
_HEADING: Final = 22
_LABEL: Final = 20
_BAR: Final = 14
Group = Mapping[str, Mapping[str, Any]]
"""The figures of one program, by mode."""


def chart(scenario: Scenario) -> Markup | None:
    """A bar for each program and mode: its share of the throughput alone.

    None if the mode ``alone`` was not measured.
    """
    groups: dict[str, Group] = {}
    for program in scenario["programs"]:
        measured = {
            mode: programs[program]
            for mode, programs in scenario["modes"].items()
            if programs.get(program, {}).get("share_of_alone")
        }
        if measured:
            groups[program] = measured
    if not groups:
        return None
    shares = [each["share_of_alone"] for group in groups.values() for each in group.values()]
    x = Linear(0, min(max(1.0, *(each["value"] for each in shares)), 2.0) * 104, "%")
    rows, height = _rows(x, groups)
    listed = "; ".join(
        f"{program} {mode_name(mode)}: {words.percentage(figures['share_of_alone'])}"
        for program, group in groups.items()
        for mode, figures in group.items()
    )
    title = "Throughput"
    picture = plot.drawing(
        title, f"Of its throughput alone, each program had: {listed}.", height,
        plot.x_axis(x, "of its throughput alone"), *rows,
    )  # fmt: skip
    note = (
        "The thin line is the 95% interval. Programs with a given rate of requests have no share."
    )
    if sums := words.share_sums(scenario):
        note += f" {sums}"
    return plot.figure("bars", title, note, element("div", picture, class_="plot wide"))


def _rows(x: Scale, groups: Mapping[str, Group]) -> tuple[list[Markup], int]:
    """The bars of all programs, and their total height in pixels.

    The name of a program with several bars has a line of its own.
    """
    rows = []
    top = 0
    for program, group in groups.items():
        name = element("tspan", program, class_="strong")
        if len(group) > 1:
            rows.append(element("text", name, x="0%", y=top + 15))
            top += _HEADING
        for mode, figures in group.items():
            label: Child = f"{mode_name(mode)}: " if len(group) > 1 else joined((name, " "))
            rows.append(_bar(x, top, label, mode, figures))
            top += _ROW
    return rows, top


def _bar(x: Scale, top: int, label: Child, mode: str, figures: Mapping[str, Any]) -> Markup:
    of_alone = figures["share_of_alone"]
    text = f"{words.share(of_alone['value'])}, {words.number(figures['throughput'])}/s"
    middle = top + _LABEL + _BAR / 2
    bar = element(
        "rect", x="0%", y=top + _LABEL, rx=2, height=_BAR,
        width=plot.percent(min(1.0, x.at(100 * of_alone["value"]))),
        class_=f"fill {plot.mode_class(mode)}",
    )  # fmt: skip
    return joined(
        (
            element("text", label, text, x="0%", y=top + _LABEL - 6),
            bar,
            plot.whisker(x, of_alone["interval"], middle, 100),
        )
    )
