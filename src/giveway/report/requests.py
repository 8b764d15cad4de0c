"""The table of requests: their tokens, their work without the wait, and their objective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from giveway.report import words
from giveway.report.svg.markup import Column
from giveway.results.names import mode_name

COLUMNS: Final = (
    Column("Mode"),
    Column("Program"),
    Column("TTFT p50, ms", number=True),
    Column("TTFT p99, ms", number=True),
    Column("TTFT p99 / alone", number=True),
    Column("TPOT p50, ms", number=True),
    Column("TPOT p99, ms", number=True),
    Column("TPOT p99 / alone", number=True),
    Column("Service p90, ms", number=True),
    Column("Service p90 / alone", number=True),
    Column("Tokens/s", number=True),
    Column("In objective", number=True),
)


def table(scenario: Mapping[str, Any]) -> tuple[list[Column], list[list[str]]]:
    """The columns that some program has, and the rows of the programs that have any; no rows if
    there are none."""
    every = [
        [mode_name(mode), name, *_cells(each)]
        for mode, programs in scenario["modes"].items()
        for name, each in programs.items()
    ]
    rows = [row for row in every if set(row[2:]) != {words.NONE}]
    shown = [
        at for at in range(len(COLUMNS)) if at < 2 or any(row[at] != words.NONE for row in rows)
    ]
    return [COLUMNS[at] for at in shown], [[row[at] for at in shown] for row in rows]


def _cells(figures: Mapping[str, Any]) -> Iterator[str]:
    for time in ("ttft", "tpot"):
        yield words.number(figures[f"{time}_p50_ms"])
        yield words.number(figures[f"{time}_p99_ms"])
        yield words.ratio(figures[f"{time}_p99_ratio"])
    yield words.number(figures["service_p90_ms"])
    yield words.ratio(figures["service_p90_ratio"])
    yield words.number(figures["tokens_per_s"])
    yield words.percentage(figures["slo_share"])


def objectives(scenario: Mapping[str, Any]) -> str:
    """The objectives of the programs; empty without one."""
    names = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "latency"}
    found = []
    for name, program in scenario["programs"].items():
        limits = [f"{names[key]} ≤ {words.number(most)} ms" for key, most in program["slo"].items()]
        if limits:
            found.append(f"{name} {', '.join(limits)}")
    return f"Objective of a request: {'; '.join(found)}." if found else ""
