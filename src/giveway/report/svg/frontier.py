"""The frontier: what the urgent program pays in each mode, against what the other program gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from giveway.report import price, words
from giveway.report.svg import plot
from giveway.report.svg.markup import Markup, element
from giveway.report.svg.scale import Linear, Log, Scale
from giveway.results.names import mode_name
from giveway.results.verdict import Scenario, urgent_and_other
from giveway.scenarios.modes import gated, kind, ordered, tolerance, uses_mps

_HEIGHT: Final = 300


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mode is: what the urgent program pays, and the other's share; both of alone."""

    mode: str
    slowdown: Mapping[str, Any]
    share: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The name of the dot: beside the line of giveway, its percentage."""
        percent = tolerance(self.mode)
        if percent is None:
            return mode_name(self.mode)
        return f"{'MPS, ' if uses_mps(self.mode) else ''}{percent:g}%"

    @property
    def said(self) -> str:
        return f"{words.times(self.slowdown['value'])}, {words.share(self.share['value'])}"


def places(scenario: Scenario) -> list[Place]:
    """The modes that can be placed; empty unless one states a tolerance."""
    if not scenario.get("programs") or not any(map(_tolerant, scenario["modes"])):
        return []
    urgent, other = urgent_and_other(scenario)
    ratio = price.time(scenario).ratio
    found = []
    for mode in ordered(scenario["modes"]):
        programs = scenario["modes"][mode]
        slowdown = programs.get(urgent, {}).get(ratio)
        share = programs.get(other, {}).get("share_of_alone")
        if slowdown and share:
            found.append(Place(mode, slowdown, share))
    return found


def lines(found: list[Place]) -> list[list[Place]]:
    """The places of giveway by tolerance, with MPS and without.

    The mode ``giveway`` is strict priority, and stands for 0% if that was not measured.
    """
    groups: dict[str, dict[float, Place]] = {}
    for place in found:
        if gated(place.mode):
            of_kind = groups.setdefault(kind(place.mode), {})
            of_kind[tolerance(place.mode) or 0.0] = place
    return [[group[percent] for percent in sorted(group)] for group in groups.values()]


def chart(scenario: Scenario) -> Markup | None:
    """The modes as points, and those of giveway as a line by tolerance."""
    found = places(scenario)
    if not found:
        return None
    urgent, other = urgent_and_other(scenario)
    paid = price.time(scenario).title
    x = Log.around([*(place.slowdown["value"] for place in found), 0.9, 1.2], " ×")
    highest = max(place.share["value"] for place in found)
    y = Linear(0, max(105.0, 105 * highest), "%")
    drawn: list[Markup] = []
    for line in lines(found):
        if len(line) > 1:
            at = [_at(x, y, place) for place in line]
            drawn.append(plot.curve(at, plot.mode_class(kind(line[0].mode)), "giveway"))
    for place in found:
        drawn += _point(x, y, place)
    listed = "; ".join(f"{mode_name(place.mode)}: {place.said}" for place in found)
    title = f"What {urgent} pays, and what {other} gets"
    picture = plot.drawing(
        title, f"{listed}.", _HEIGHT,
        plot.y_axis(y), plot.x_axis(x, f"{paid} of {urgent}, times alone"), *drawn,
    )  # fmt: skip
    entries = [(_sample(place.mode), f"{mode_name(place.mode)}: {place.said}") for place in found]
    note = (
        f"To the left, {urgent} is faster; further up, {other} has more of its throughput alone. "
        f"The line is giveway by the tolerance of {urgent}."
    )
    return plot.figure(
        "frontier", title, note, plot.legend(entries), element("div", picture, class_="plot")
    )


def _tolerant(mode: str) -> bool:
    return tolerance(mode) is not None


def _at(x: Scale, y: Scale, place: Place) -> plot.Point:
    return x.at(place.slowdown["value"]), y.at(100 * place.share["value"])


def _point(x: Scale, y: Scale, place: Place) -> list[Markup]:
    """A dot, and a label where it is needed: the dots of giveway may be close to each other."""
    at = _at(x, y, place)
    dot = plot.dot(at, plot.mode_class(place.mode), f"{mode_name(place.mode)}: {place.said}")
    tolerant = _tolerant(place.mode)
    if gated(place.mode) and not tolerant:
        return [dot]
    right = at[0] < 0.7
    return [
        dot,
        plot.text(
            place.label, at[0], plot.percent(1 - at[1]), dx=8 if right else -8,
            dy="1.2em" if tolerant else "-0.5em",
            text_anchor="start" if right else "end",
        ),
    ]  # fmt: skip


def _sample(mode: str) -> Markup:
    return element("circle", cx=15, cy=7, r=5, class_=f"dot {plot.mode_class(mode)}")
