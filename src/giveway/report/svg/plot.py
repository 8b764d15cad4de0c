"""The parts that all charts share: a frame, axes, a legend, and descriptions for screen readers.

Positions are percentages of the size of the drawing; only text and strokes have sizes in pixels. So
a chart fills the width of the screen and stays readable on a phone and on paper. Curves cannot be
given in percentages: they are drawn in a nested picture of 1000 x 1000, which is stretched.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from giveway.report.svg.markup import Child, Markup, element, joined
from giveway.report.svg.scale import Scale
from giveway.scenarios.modes import kind, tolerance

INNER: Final = 1000

Point = tuple[float, float]
"""A position in a drawing: x and y from 0 to 1; y counts from the bottom."""


def mode_class(mode: str) -> str:
    """The class of a mode in the style sheet, which gives its colour and its dashes."""
    if (tolerates := tolerance(mode)) is None:
        return f"mode-{mode.replace('+', '-')}"
    shade = "low" if tolerates <= 5 else "middle" if tolerates <= 20 else "high"
    return f"mode-{kind(mode).replace('+', '-')}-{shade}"


class Names:
    """Makes identifiers that are unique within a page."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}-{next(self._numbers)}"


def percent(share: float) -> str:
    """A share as a percentage for SVG."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def drawing(title: str, description: str, height: int, *children: Child) -> Markup:
    """A picture that fills the width, with a description for screen readers."""
    return element(
        "svg",
        *children,
        role="img",
        width="100%",
        height=height,
        aria_label=f"{title}. {description}",
    )


def figure(kind: str, title: str, note: Child, *children: Child) -> Markup:
    """A chart with its title above and a note below."""
    return element(
        "figure",
        element("figcaption", title),
        *children,
        element("p", note, class_="note") if note else None,
        class_=f"chart {kind}",
    )


def legend(entries: Sequence[tuple[Markup, Child]]) -> Markup:
    """A legend; each entry is a sample of a line or dot and its meaning."""
    items = [
        element(
            "li",
            element("svg", sample, width=30, height=14, aria_hidden="true"),
            joined((Markup(" "), text)),
        )
        for sample, text in entries
    ]
    return element("ul", *items, class_="legend")


def line_sample(kind: str) -> Markup:
    """A short line, for a legend."""
    return element("line", x1=1, x2=29, y1=7, y2=7, class_=f"line {kind}")


def x_axis(scale: Scale, title: str) -> Markup:
    """Vertical grid lines with their values and the title below."""
    marks = [
        element(
            "g",
            element("line", x1=percent(tick.at), x2=percent(tick.at), y1="0%", y2="100%"),
            _text(tick.label, percent(tick.at), "100%", dy="1.5em", text_anchor="middle"),
            class_="grid minor" if tick.minor else "grid",
        )
        for tick in scale.ticks()
    ]
    name = _text(title, "50%", "100%", dy="2.9em", text_anchor="middle", class_="axis")
    return joined((*marks, name))


def y_axis(scale: Scale) -> Markup:
    """Horizontal grid lines with their values on the left."""
    return joined(
        element(
            "g",
            element("line", x1="0%", x2="100%", y1=percent(1 - tick.at), y2=percent(1 - tick.at)),
            _text(tick.label, "0%", percent(1 - tick.at), dx="-8", dy="0.35em", text_anchor="end"),
            class_="grid",
        )
        for tick in scale.ticks()
    )


def curve(points: Sequence[Point], kind: str, title: str) -> Markup:
    """A line through all points, whose width does not depend on how the picture is stretched."""
    steps = " ".join(f"{INNER * x:.1f},{INNER * (1 - y):.1f}" for x, y in points)
    path = element(
        "path",
        element("title", title),
        d=f"M{steps}",
        class_=f"line {kind}",
        vector_effect="non-scaling-stroke",
    )
    return element(
        "svg",
        path,
        viewBox=f"0 0 {INNER} {INNER}",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
        class_="stretched",
    )


def dot(at: Point, kind: str, title: str) -> Markup:
    """A dot that shows its title under the pointer."""
    x, y = at
    return element(
        "circle", element("title", title), cx=percent(x), cy=percent(1 - y), r=4.5,
        class_=f"dot {kind}",
    )  # fmt: skip


def text(label: str, x: float, y: str | float, **attributes: str | float | None) -> Markup:
    """A text at a position; ``x`` is a share of the width."""
    return _text(label, percent(x), y, **attributes)


def _text(label: str, x: str, y: str | float, **attributes: str | float | None) -> Markup:
    return element("text", label, x=x, y=y, **attributes)


def whisker(scale: Scale, interval: Sequence[float] | None, y: float, factor: float = 1) -> Child:
    """An interval as a thin line, clipped to the axis."""
    if interval is None:
        return None
    low, high = (min(1.0, max(0.0, scale.at(factor * edge))) for edge in interval)
    return joined(
        element("line", x1=percent(low), x2=percent(high), y1=y, y2=y, class_=kind)
        for kind in ("halo", "whisker")
    )
