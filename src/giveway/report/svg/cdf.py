"""The charts of the times of requests: the share of requests within a time, by mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from giveway.report import words
from giveway.report.svg import plot
from giveway.report.svg.markup import Markup, element, joined
from giveway.report.svg.scale import Log, Nines
from giveway.results import requests
from giveway.results.names import mode_name
from giveway.results.rounds import Rounds
from giveway.results.stats import percentile

HEIGHT: Final = 280
_POINTS: Final = 240
"""The most points of a curve; more would not be visible."""

Latencies = Mapping[str, Sequence[float]]
"""Latencies in milliseconds, by mode; no mode is empty."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of time that requests have."""

    key: str
    """Of its list in a record."""
    title: str
    axis: str


LATENCY: Final = Kind("latencies_us", "Latencies", "latency, ms")
TTFT: Final = Kind("ttft_us", "Time to the first token", "TTFT, ms")
TPOT: Final = Kind("tpot_us", "Time per output token", "TPOT, ms")
KINDS: Final = (LATENCY, TTFT, TPOT)


def latencies(rounds: Rounds, program: str, kind: Kind = LATENCY) -> dict[str, list[float]]:
    """The times of one program in all rounds that count: in ms, ascending, by mode."""
    found = {}
    for mode in rounds.modes:
        parts = (each.part for each in rounds.counted(mode, program))
        values = sorted(value / 1e3 for part in parts for value in requests.values(part, kind.key))
        if values:
            found[mode] = values
    return found


def steps(values: Sequence[float]) -> list[tuple[float, float]]:
    """The empirical distribution of ascending values, thinned where the points are dense.

    At each value, the curve rises from the share of faster requests to the share of requests that
    were not slower. The curve ends below 1, because another request could have been slower than the
    slowest.
    """
    count = len(values)
    if count > _POINTS:
        # Points are evenly spaced on the stretched axis, and the tail keeps all of its points.
        tail = np.arange(max(0, count - 30), count)
        nines = np.linspace(0, np.log10(count), _POINTS)
        dense = np.floor(count * (1 - 10.0**-nines)).astype(int)
        kept = np.unique(np.concatenate([dense, tail]).clip(0, count - 1))
    else:
        kept = np.arange(count)
    shares = [(int(at), step) for at in kept for step in (0, 1)]
    return [(values[at], (at + step) / count) for at, step in shares[:-1]]


def chart(program: str, by_mode: Latencies, kind: Kind = LATENCY) -> Markup:
    """The chart of one kind of time of one program."""
    x = Log.around([value for each in by_mode.values() for value in (each[0], each[-1])])
    y = Nines(max(map(len, by_mode.values())))
    curves = []
    for mode, values in by_mode.items():
        points = [(x.at(value), y.at(share)) for value, share in steps(values)]
        p99 = percentile(values, 99)
        curves.append(plot.curve(points, plot.mode_class(mode), mode_name(mode)))
        if len(values) >= 100:
            said = f"p99 {mode_name(mode)}: {words.milliseconds(p99)}"
            curves.append(plot.dot((x.at(p99), y.at(0.99)), plot.mode_class(mode), said))
    p99s = {mode: words.milliseconds(percentile(each, 99)) for mode, each in by_mode.items()}
    listed = "; ".join(f"{mode_name(mode)}: p99 {p99}" for mode, p99 in p99s.items())
    title = f"{kind.title} of {program}"
    picture = plot.drawing(
        title, f"99% of the requests took at most: {listed}.", HEIGHT,
        plot.y_axis(y), plot.x_axis(x, kind.axis), *curves,
    )  # fmt: skip
    entries = [
        (
            plot.line_sample(plot.mode_class(mode)),
            joined((mode_name(mode), element("span", f" p99 {p99}", class_="value"))),
        )
        for mode, p99 in p99s.items()
    ]
    counts = sorted({len(each) for each in by_mode.values()})
    counted = " to ".join(str(each) for each in dict.fromkeys((counts[0], counts[-1])))
    note = (
        f"The share of requests that were faster, of {counted} in each mode. Both axes are "
        "stretched: the upper part shows the slowest requests. Further left is better."
    )
    return plot.figure(
        "cdf", title, note, plot.legend(entries), element("div", picture, class_="plot")
    )
