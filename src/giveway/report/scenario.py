"""The section of a page about one scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from giveway.report import requests, sentences, words
from giveway.report.svg import cdf, plot, throughput, timeline
from giveway.report.svg.markup import Child, Column, Markup, element, joined, stacked, table
from giveway.results import bars, result, store, verdict
from giveway.results.names import mode_name

SIGNS: Final = {bars.PASS: "✓", bars.FAIL: "✕", bars.NOT_SHOWN: "?", bars.NOT_MEASURED: "–"}
_TONES: Final = {
    bars.PASS: "good",
    bars.FAIL: "bad",
    bars.NOT_SHOWN: "open",
    bars.NOT_MEASURED: "open",
}

FIGURES: Final = (
    Column("Mode"),
    Column("Program"),
    Column("Requests", number=True),
    Column("p50, ms", number=True),
    Column("p90, ms", number=True),
    Column("p99, ms", number=True),
    Column("p99.9, ms", number=True),
    Column("Largest, ms", number=True),
    Column("p99 / alone", number=True),
    Column("Per second", number=True),
    Column("Of alone", number=True),
    Column("Of native", number=True),
)
_COUNTED: Final = (
    Column("Program"),
    Column("Launches", number=True),
    Column("Times held", number=True),
    Column("Time held", number=True),
    Column("Preemptions", number=True),
    Column("Gave way in, ms", number=True),
    Column("At most, ms", number=True),
    Column("At work", number=True),
)
_BARS: Final = (Column("Bar"), Column("Measured"), Column("Verdict"))


def section(
    names: plot.Names,
    anchor: str,
    scenario: verdict.Scenario,
    records: store.Records,
    headline: str,
) -> Markup:
    """The section of one scenario, which may have failed or may not have started.

    Args:
        headline: the headline of the page; the section does not repeat this sentence.
    """
    return element(
        "section",
        element("h3", scenario["name"], element("small", scenario["title"] or "")),
        *_content(names, scenario, records, headline),
        id=anchor,
        class_="scenario",
    )


def _content(
    names: plot.Names, scenario: verdict.Scenario, records: store.Records, headline: str
) -> Iterator[Markup]:
    if scenario["status"] == "not started":
        yield element("p", "Not started.", class_="said")
        return
    if (sentence := words.kept(sentences.of(scenario, records))) != headline:
        yield element("p", sentence, class_="said")
    programs = scenario["programs"].items()
    yield element(
        "ul",
        *(element("li", element("b", name), f": {words.program(each)}") for name, each in programs),
        class_="programs",
    )
    yield from _failures(scenario)
    if scenario["bars"]:
        yield bar_table(scenario["bars"])
    yield from _charts(names, scenario, records)
    if scenario["modes"]:
        yield table(f"Figures of {scenario['name']}", FIGURES, figures(scenario))
        for line in filter(None, (words.share_sums(scenario), words.device_busy(scenario))):
            yield element("p", line, class_="note")
        yield from _requests(scenario)
        yield from _counted(scenario)
    for mode, reason in scenario["modes_not_measured"].items():
        yield element("p", f"Not measured: {mode_name(mode)} ({reason}).", class_="note")
    for line in words.not_measured(scenario):
        yield element("p", line, class_="note")


def _charts(
    names: plot.Names, scenario: verdict.Scenario, records: store.Records
) -> Iterator[Markup]:
    rounds = result.rounds(scenario["programs"], records)
    timelines = [each for each in records if each["kind"] == "timeline"]
    for name, program in scenario["programs"].items():
        # The duration of back-to-back batches says nothing about waiting.
        if program["arrivals"] != "saturating":
            for kind in cdf.KINDS:
                if found := cdf.latencies(rounds, name, kind):
                    yield cdf.chart(name, found, kind)
    if scenario["modes"] and len(scenario["programs"]) > 1:
        drawn = timeline.charts(names, scenario, timelines)
        yield element(
            "div",
            element("h4", "Who held the device"),
            *(drawn or [element("p", timeline.why_not(scenario, timelines), class_="note")]),
            class_="who",
        )
    if (shares := throughput.chart(scenario)) is not None:
        yield shares


def bar_table(judged: Sequence[dict[str, Any]]) -> Markup:
    """The bars with the measured figures and verdicts."""
    rows = [[words.bar(bar), words.measured(bar), mark(bar["verdict"])] for bar in judged]
    return table("Bars", _BARS, rows)


def mark(judged: str) -> Markup:
    """A verdict as a sign, a word and a colour."""
    sign = element("span", SIGNS[judged], aria_hidden="true")
    return element("span", sign, f" {judged}", class_=f"mark {_TONES[judged]}")


def figures(scenario: verdict.Scenario) -> Iterator[list[Child]]:
    """The rows of the table with the columns ``FIGURES``."""
    for mode, programs in scenario["modes"].items():
        for name, each in programs.items():
            yield [
                mode_name(mode),
                name,
                words.whole(each["requests"]),
                *(
                    words.number(each[key])
                    for key in ("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms")
                ),
                stacked(words.ratio(each["p99_ratio"])),
                words.number(each["throughput"]),
                stacked(words.percentage(each["share_of_alone"])),
                stacked(words.percentage(each["kept_of_native"])),
            ]


def _requests(scenario: verdict.Scenario) -> Iterator[Markup]:
    columns, rows = requests.table(scenario)
    if rows:
        cells = [[*row[:2], *map(stacked, row[2:])] for row in rows]
        yield table(f"Requests of {scenario['name']}", columns, cells)
    if objectives := requests.objectives(scenario):
        yield element("p", objectives, class_="note")


def _counted(scenario: verdict.Scenario) -> Iterator[Markup]:
    rows = [
        [
            name,
            words.whole(each["launches"]),
            words.whole(each["holds"]),
            f"{words.number(each['held_seconds'])} s",
            words.whole(each["preemptions"]),
            *_latency(each["preemption_latency_ms"] or {}),
            words.share(each["busy_share"]),
        ]
        for name, each in scenario["modes"].get("giveway", {}).items()
        if each["launches"] is not None
    ]
    if rows:
        yield table("What giveway counted", _COUNTED, rows)


def _latency(figure: Mapping[str, Any]) -> Iterator[str]:
    """The median and the largest latency."""
    for key in ("value", "longest"):
        yield words.number(figure.get(key))


def _failures(scenario: verdict.Scenario) -> Iterator[Markup]:
    for each in scenario["failures"]:
        where = f"{mode_name(each['mode'])}, round {each['round'] + 1}"
        what = element("b", f"{each['program']} {each['what']}")
        last = "\n".join(each["last_lines"])
        yield element(
            "div",
            element("p", joined((what, f" ({where})."))),
            element("pre", last, tabindex="0") if last else None,
            class_="failure",
        )
