"""Draws docs/images/p99-cpu.svg, the picture of the README, from the raw records of a result.

python tools/readme_picture.py

One row a scenario: the p99 of the most urgent program as a multiple of its p99 alone, without
giveway and with it, on a logarithmic axis. Colours suit light and dark pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

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


def measured() -> dict[str, dict[str, float]]:
    """By scenario and mode: the p99 by that of alone."""
    found = {}
    for run in load([RESULT / place for place in PLACES]).runs:
        for scenario in run.result["results"]:
            if values := ratios(scenario):
                found[scenario["name"]] = {mode: each["value"] for mode, each in values.items()}
    return {name: found[name] for name in SCENARIOS}


def text(words: str, x: float, y: float, colour: str = GREY, anchor: str = "start") -> Markup:
    return element("text", words, x=x, y=y, fill=colour, text_anchor=anchor)


def rows(values: dict[str, dict[str, float]], scale: Log) -> Iterator[Markup]:
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
        ends = sorted(round(LEFT + room * scale.at(value), 1) for value in modes.values())
        yield element("line", x1=ends[0], x2=ends[1], y1=y, y2=y, stroke=GREY, stroke_width="2")
        for mode, value in modes.items():
            x = round(LEFT + room * scale.at(value), 1)
            yield element("circle", cx=x, cy=y, r="6", fill=COLOURS[mode])
        worst = max(modes["native"], modes["giveway"])
        yield text(f"{worst:.3g} ×", ends[1] + 12, y + 4, COLOURS["native"])


def picture(values: dict[str, dict[str, float]]) -> Markup:
    every = [value for modes in values.values() for value in modes.values()]
    scale = Log.around([*every, 0.9, 1.1], " ×")
    legend = [
        part
        for number, (mode, colour) in enumerate(COLOURS.items())
        for part in (
            element("circle", cx=LEFT + 170 * number, cy="20", r="6", fill=colour),
            text(NAMES[mode], LEFT + 170 * number + 12, 24, colour),
        )
    ]
    said = "; ".join(f"{n}: {m['native']:.3g} and {m['giveway']:.3g}" for n, m in values.items())
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
