"""The curves of a sweep: latency of the urgent program and throughput of the other, over load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from giveway.report import price, words
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
    # The median of requests hardly moves with load; of tokens, both times say something.
    times = price.times(*members)
    shown = [each for each in times if each.key != "p50"]
    latencies = {each: curves(members, urgent, each.ms) for each in shown}
    panels = [
        _panel(f"{each.title} of {urgent}, ms", found, Log.around(_values(found)))
        for each, found in latencies.items()
        if found
    ]
    if not panels:
        return None
    if shares := curves(members, other, "share_of_alone"):
        axis = Linear(0, max(105.0, 105 * max(_values(shares))), "%")
        scaled = {mode: [(x, 100 * y) for x, y in points] for mode, points in shares.items()}
        panels.append(_panel(f"Throughput of {other}, of alone", scaled, axis))
    modes = ordered(mode for found in latencies.values() for mode in found)
    legend = [(plot.line_sample(plot.mode_class(mode)), mode_name(mode)) for mode in modes]
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


def _values(found: Curves) -> list[float]:
    return [value for points in found.values() for _, value in points]


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
