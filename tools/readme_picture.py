"""Draws docs/images/p99-cpu.svg, the picture of the README, from the raw records of a result.

python tools/readme_picture.py

One row a scenario: the p99 of the most urgent program as a multiple of its p99 alone, without
giveway and with it, each with its 95 % interval, on a logarithmic axis. Colours suit light and dark
pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from giveway.report.load import load
from giveway.report.svg.markup import Markup, element
from giveway.report.svg.overview import ratios
from giveway.report.svg.scale import Log

ROOT: Final = Path(__file__).parents[1]
RESULT: Final = ROOT / "results" / "cpu-2cores-2026-11-28"
PLACES: Final = ("bench", "dual-heavy", "tenants", "more")
"""Folders of that result; of a scenario that was measured twice the later one counts."""
PICTURE: Final = ROOT / "docs" / "images" / "p99-cpu.svg"
SCENARIOS: Final = ("dual", "dual-heavy", "tenants", "realtime", "train", "llm")

WIDTH: Final = 760
LEFT: Final = 100
RIGHT: Final = 90
ROW: Final = 34
TOP: Final = 46
COLOURS: Final = {"native": "#d1603d", "giveway": "#2e8b72"}
NAMES: Final = {"native": "without giveway", "giveway": "with giveway"}
GREY: Final = "#808080"


Estimate = dict[str, Any]


def measured() -> dict[str, dict[str, Estimate]]:
    """By scenario and mode: the p99 by that of alone, with its interval."""
    found = {}
    for run in load([RESULT / place for place in PLACES]).runs:
        for scenario in run.result["results"]:
            if values := ratios(scenario):
                found[scenario["name"]] = values
    return {name: found[name] for name in SCENARIOS}


def text(words: str, x: float, y: float, colour: str = GREY, anchor: str = "start") -> Markup:
    return element("text", words, x=x, y=y, fill=colour, text_anchor=anchor)


def rows(values: dict[str, dict[str, Estimate]], scale: Log) -> Iterator[Markup]:
    room = WIDTH - LEFT - RIGHT
    bottom = TOP + ROW * len(values)
    for tick in scale.ticks():
        if not tick.minor:
            x = round(LEFT + room * tick.at, 1)
            yield element("line", x1=x, x2=x, y1=TOP, y2=bottom, stroke=GREY, stroke_opacity="0.3")
            yield text(tick.label, x, bottom + 18, anchor="middle")
    one = round(LEFT + room * scale.at(1), 1)
    yield element("line", x1=one, x2=one, y1=TOP, y2=bottom, stroke=GREY, stroke_width="1.5")
    for number, (name, modes) in enumerate(values.items()):
        y = TOP + ROW * (number + 0.5)
        yield text(name, LEFT - 12, y + 4, anchor="end")
        for mode, found in modes.items():
            x, low, high = (
                round(LEFT + room * scale.at(each), 1)
                for each in (found["value"], *found["interval"])
            )
            yield element(
                "line", x1=low, x2=high, y1=y, y2=y, stroke=COLOURS[mode], stroke_width="2"
            )
            yield element("circle", cx=x, cy=y, r="6", fill=COLOURS[mode])
        worst = f"{modes['native']['value']:.3g} ×"
        yield text(worst, WIDTH - RIGHT + 12, y + 4, COLOURS["native"])


def picture(values: dict[str, dict[str, Estimate]]) -> Markup:
    every = [
        edge
        for modes in values.values()
        for each in modes.values()
        for edge in (each["value"], *each["interval"])
    ]
    scale = Log.around([*every, 0.9, 1.1], " ×")
    legend = [
        part
        for number, (mode, colour) in enumerate(COLOURS.items())
        for part in (
            element("circle", cx=LEFT + 170 * number, cy="20", r="6", fill=colour),
            text(NAMES[mode], LEFT + 170 * number + 12, 24, colour),
        )
    ]
    said = "; ".join(
        f"{name}: {modes['native']['value']:.3g} and {modes['giveway']['value']:.3g}"
        for name, modes in values.items()
    )
    title = "p99 of the urgent service, by its p99 alone, without giveway and with it"
    return element(
        "svg",
        element("title", f"{title}. {said}."),
        *legend,
        *rows(values, scale),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {TOP + ROW * len(values) + 30}",
        font_family="system-ui, sans-serif",
        font_size="13",
        role="img",
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(measured()) + "\n")
