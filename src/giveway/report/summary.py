"""The scenarios of a run, one row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from giveway.report import sentences, words
from giveway.report.svg import overview
from giveway.report.svg.markup import Child, Column, Markup, element, stacked, table
from giveway.results import bars
from giveway.results.verdict import Scenario, urgent_and_other

COLUMNS: Final = (
    Column("Scenario"),
    Column("Title"),
    Column("Urgent p99 with giveway", number=True),
    Column("Urgent p99 without", number=True),
    Column("Other, of alone", number=True),
    Column("Other, of native", number=True),
    Column("Bars"),
)
_SHARES: Final = ("share_of_alone", "kept_of_native")


def rows(scenarios: Sequence[Scenario]) -> Iterator[list[str]]:
    """The cells under ``COLUMNS``, as text. Ratios are relative to the program alone."""
    for scenario in scenarios:
        ratios = overview.ratios(scenario)
        yield [
            scenario["name"],
            scenario["title"] or "",
            words.ratio(ratios.get("giveway")),
            words.ratio(ratios.get("native")),
            *(words.percentage(_other(scenario, each)) for each in _SHARES),
            _bars(scenario),
        ]


def contents(scenarios: Sequence[Scenario], anchors: Mapping[str, str]) -> Markup:
    """The rows as a table, with links to the sections of the page."""
    linked: list[list[Child]] = [
        [element("a", name, href=f"#{anchors[name]}"), *map(stacked, rest)]
        for name, *rest in rows(scenarios)
    ]
    return table("Scenarios", COLUMNS, linked)


def _other(scenario: Scenario, figure: str) -> dict[str, Any] | None:
    if not sentences.answers_requests(scenario):
        return None
    _, other = urgent_and_other(scenario)
    found: dict[str, Any] | None = scenario["modes"].get("giveway", {}).get(other, {}).get(figure)
    return found


def _bars(scenario: Scenario) -> str:
    if scenario["status"] in ("failed", "not started"):
        return str(scenario["status"])
    verdicts = [bar["verdict"] for bar in scenario["bars"]]
    parts = {
        "hold": verdicts.count(bars.PASS),
        "failed": verdicts.count(bars.FAIL),
        "not shown": verdicts.count(bars.NOT_SHOWN),
        "not measured": verdicts.count(bars.NOT_MEASURED),
    }
    counts = ", ".join(f"{count} {outcome}" for outcome, count in parts.items() if count)
    return counts or words.NONE
