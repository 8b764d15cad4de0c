"""The curves of a sweep: latency of the urgent program and throughput of the other, over load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from giveway.report import words
from giveway.report.svg import plot
from giveway.report.svg.markup import Markup, element
from giveway.report.svg.scale import Linear, Log, Scale
from giveway.results.names import mode_name
from giveway.results.verdict import Scenario, urgent_and_other
from giveway.scenarios.modes import ordered

_HEIGHT: Final = 260
Curves = Mapping[str, Sequence[tuple[float, float]]]
"""The points (load, value) of each mode."""


def chart(members: Sequence[Scenario]) -> Markup | None:
    """Two charts with one line for each mode; None if nothing was measured."""
    members = [each for each in members if each.get("modes")]
    if not members:
        return None
    urgent, other = urgent_and_other(members[0])
    latencies = curves(members, urgent, "p99_ms")
    shares = curves(members, other, "share_of_alone")
    if not latencies:
        return None
    values = [value for points in latencies.values() for _, value in points]
    panels = [_panel(f"p99 of {urgent}, ms", latencies, Log.around(values))]
    if shares:
        highest = max(value for points in shares.values() for _, value in points)
        axis = Linear(0, max(105.0, 105 * highest), "%")
        scaled = {mode: [(x, 100 * y) for x, y in points] for mode, points in shares.items()}
        panels.append(_panel(f"Throughput of {other}, of alone", scaled, axis))
    legend = [(plot.line_sample(plot.mode_class(mode)), mode_name(mode)) for mode in latencies]
    title = f"Latency of {urgent} and throughput of {other} over load"
    note = (
        f"Load is the rate of {urgent} as a share of what it can answer alone. A load at which a "
        "mode was not measured has no dot."
    )
    return plot.figure(
        "sweep", title, note, plot.legend(legend), element("div", *panels, class_="pair")
    )


def curves(members: Sequence[Scenario], program: str, figure: str) -> Curves:
    """A figure of a program over load, by mode; modes without a value are left out."""
    found: dict[str, list[tuple[float, float]]] = {}
    for mode in ordered(mode for each in members for mode in each["modes"]):
        for each in members:
            value = each["modes"].get(mode, {}).get(program, {}).get(figure)
            if isinstance(value, Mapping):
                value = value["value"]
            if value is not None:
                found.setdefault(mode, []).append((each["load"], value))
    return found


def _panel(title: str, by_mode: Curves, y: Scale) -> Markup:
    x = Linear(0, 100, "%")
    drawn = []
    for mode, points in by_mode.items():
        kind = plot.mode_class(mode)
        placed = [(x.at(100 * load), y.at(value)) for load, value in points]
        drawn.append(plot.curve(placed, kind, mode_name(mode)))
        drawn += [
            plot.dot(at, kind, f"{mode_name(mode)}, load {load:.0%}: {words.number(value)}")
            for at, (load, value) in zip(placed, points, strict=True)
        ]
    listed = "; ".join(
        f"{mode_name(mode)}: "
        + ", ".join(f"{words.number(value)} at {load:.0%}" for load, value in points)
        for mode, points in by_mode.items()
    )
    picture = plot.drawing(title, f"{listed}.", _HEIGHT, plot.y_axis(y), plot.x_axis(x, "load"),
                           *drawn)  # fmt: skip
    return element("div", element("h4", title), element("div", picture, class_="plot"))
