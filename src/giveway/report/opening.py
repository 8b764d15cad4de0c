"""What a page shows first of a run: a picture, and a table with a row for each mode or scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from giveway.report import families, price, sentences, summary, words
from giveway.report.load import Run
from giveway.report.svg import frontier, overview, sweep
from giveway.report.svg.markup import Child, Column, Markup, stacked, table
from giveway.results.names import mode_name
from giveway.results.verdict import Scenario, urgent_and_other


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
    times = price.times(scenario)
    columns = [
        Column("Mode"),
        *(Column(f"Urgent {each.title}, ms", number=True) for each in times),
        *(Column(f"{each.title} / alone", number=True) for each in times),
        Column("Other, per second", number=True),
        Column("Other, of alone", number=True),
    ]
    rows: list[list[Child]] = []
    for mode, programs in scenario["modes"].items():
        if urgent not in programs or other not in programs:
            continue
        first, last = programs[urgent], programs[other]
        rows.append([
            mode_name(mode),
            *(words.number(first[each.ms]) for each in times),
            *(stacked(words.ratio(first[each.ratio])) for each in times),
            words.number(last["throughput"]),
            stacked(words.percentage(last["share_of_alone"])),
        ])  # fmt: skip
    return table(f"{urgent} is urgent, {other} is the other", columns, rows) if rows else None
