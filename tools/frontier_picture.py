"""Draws the frontier of a scenario as an SVG that stands by itself, for a README.

python tools/frontier_picture.py RESULT SCENARIO FILE.svg

One dot a mode: what the urgent program pays (its p99 as a multiple of that alone; of a language
model the time per output token), against the share of its throughput alone that the other program
gets. giveway's modes are a line by the slowdown that they allow. Colours suit light and dark pages.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from giveway.report import price
from giveway.report.load import load
from giveway.report.svg.frontier import Place, lines, places
from giveway.report.svg.markup import Markup, element
from giveway.report.svg.scale import Linear, Log, Tick
from giveway.results.names import mode_name
from giveway.results.verdict import Scenario, urgent_and_other
from giveway.scenarios.modes import gated

WIDTH: Final = 760
HEIGHT: Final = 380
LEFT: Final = 64
RIGHT: Final = 24
TOP: Final = 24
BOTTOM: Final = 56
GIVEWAY: Final = "#2e8b72"
OTHER: Final = "#d1603d"
GREY: Final = "#808080"


def text(words: str, x: float, y: float, colour: str = GREY, anchor: str = "start") -> Markup:
    return element("text", words, x=x, y=y, fill=colour, text_anchor=anchor)


def across(share: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)


def down(share: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)


def grid(x: Sequence[Tick], y: Sequence[Tick]) -> Iterator[Markup]:
    edges = {"stroke": GREY, "stroke_opacity": "0.3"}
    for tick in x:
        at = across(tick.at)
        yield element("line", x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM, **edges)
        yield text(tick.label, at, HEIGHT - BOTTOM + 18, anchor="middle")
    for tick in y:
        at = down(tick.at)
        yield element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, **edges)
        yield text(tick.label, LEFT - 8, at + 4, anchor="end")


def picture(scenario: Scenario) -> Markup:
    """The frontier of a scenario.

    Raises:
        SystemExit: it was not measured in a mode ``giveway N%``.
    """
    found = places(scenario)
    if not found:
        raise SystemExit(f"{scenario['name']} was not measured in a mode giveway N%")
    urgent, other = urgent_and_other(scenario)
    paid = price.time(scenario).title
    x = Log.around([*(each.slowdown["value"] for each in found), 0.9, 1.2], " ×")
    y = Linear(0, max(105.0, *(105 * each.share["value"] for each in found)), "%")

    def at(place: Place) -> tuple[float, float]:
        return across(x.at(place.slowdown["value"])), down(y.at(100 * place.share["value"]))

    drawn: list[Markup] = []
    for line in (each for each in lines(found) if len(each) > 1):
        points = " ".join(f"{a},{b}" for a, b in map(at, line))
        drawn.append(
            element("polyline", points=points, fill="none", stroke=GIVEWAY, stroke_width="2.5")
        )
    for place in found:
        a, b = at(place)
        colour = GIVEWAY if gated(place.mode) else OTHER
        drawn.append(element("circle", cx=a, cy=b, r="6", fill=colour))
        left = a > WIDTH * 0.75
        drawn.append(
            text(place.label, a - 11 if left else a + 11, b + 4, colour, "end" if left else "start")
        )
    axis = f"{paid} of {urgent}, times alone"
    title = f"{other} gets of its throughput alone, by what {urgent} pays"
    said = "; ".join(f"{mode_name(each.mode)}: {each.said}" for each in found)
    return element(
        "svg",
        element("title", f"{title}. {said}."),
        *grid(x.ticks(), y.ticks()),
        text(axis, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, anchor="middle"),
        text(f"{other}, of its throughput alone", LEFT, 14),
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        font_family="system-ui, sans-serif",
        font_size="13",
        role="img",
    )


def main(folder: str, name: str, file: str) -> None:
    results = [each for run in load([Path(folder)]).runs for each in run.result["results"]]
    scenario = next((each for each in results if each["name"] == name), None)
    if scenario is None:
        names = ", ".join(each["name"] for each in results)
        raise SystemExit(f"no scenario {name} in {folder}: there are {names}")
    Path(file).write_text(picture(scenario) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
