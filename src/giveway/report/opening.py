"""What a page shows first of a run: a picture, and a table with a row for each mode or scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from giveway.report import families, sentences, summary, words
from giveway.report.load import Run
from giveway.report.svg import frontier, overview, sweep
from giveway.report.svg.markup import Child, Column, Markup, stacked, table
from giveway.results.names import mode_name
from giveway.results.verdict import Scenario, urgent_and_other

_BY_MODE: Final = (
    Column("Mode"),
    Column("Urgent p50, ms", number=True),
    Column("Urgent p99, ms", number=True),
    Column("p50 / alone", number=True),
    Column("p99 / alone", number=True),
    Column("Other, per second", number=True),
    Column("Other, of alone", number=True),
)


def contents(run: Run, anchors: Mapping[str, str]) -> Iterator[Child]:
    """The pictures and tables, those of families first.

    Args:
        anchors: the identifiers of the sections of the page, by the name of the scenario.
    """
    for family in families.of(run.result["results"]):
        if family.loads:
            yield sweep.chart(family.members)
        yield families.contents(family, anchors)
    single = [each for each in run.result["results"] if not each.get("family")]
    yield from map(frontier.chart, single)
    yield overview.chart([each for each in single if not frontier.places(each)])
    if len(single) > 1:
        yield summary.contents(single, anchors)
    elif single and sentences.answers_requests(single[0]):
        yield _by_mode(single[0])


def _by_mode(scenario: Scenario) -> Markup | None:
    """The modes of one scenario: the price of each, and what it brings."""
    urgent, other = urgent_and_other(scenario)
    rows: list[list[Child]] = []
    for mode, programs in scenario["modes"].items():
        if urgent not in programs or other not in programs:
            continue
        first, last = programs[urgent], programs[other]
        rows.append([
            mode_name(mode),
            words.number(first["p50_ms"]),
            words.number(first["p99_ms"]),
            *(stacked(words.ratio(first[figure])) for figure in ("p50_ratio", "p99_ratio")),
            words.number(last["throughput"]),
            stacked(words.percentage(last["share_of_alone"])),
        ])  # fmt: skip
    return table(f"{urgent} is urgent, {other} is the other", _BY_MODE, rows) if rows else None
