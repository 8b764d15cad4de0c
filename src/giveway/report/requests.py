"""The table of requests: their work, their tokens, and their objective, for page and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from giveway.report import words
from giveway.report.svg.markup import Column
from giveway.results.names import mode_name
from giveway.results.requests import measured

COLUMNS: Final = (
    Column("Mode"),
    Column("Program"),
    Column("TTFT p50, ms", number=True),
    Column("TTFT p99, ms", number=True),
    Column("p99 / alone", number=True),
    Column("TPOT p50, ms", number=True),
    Column("TPOT p99, ms", number=True),
    Column("p99 / alone", number=True),
    Column("Service p90, ms", number=True),
    Column("p90 / alone", number=True),
    Column("Tokens/s", number=True),
    Column("In objective", number=True),
)


def rows(scenario: Mapping[str, Any]) -> Iterator[list[str]]:
    """The rows of programs that answer with tokens or have an objective; none without these."""
    for mode, programs in scenario["modes"].items():
        for name, each in programs.items():
            if measured(each):
                yield [
                    mode_name(mode),
                    name,
                    *(words.number(each[key]) for key in ("ttft_p50_ms", "ttft_p99_ms")),
                    words.ratio(each["ttft_p99_ratio"]),
                    *(words.number(each[key]) for key in ("tpot_p50_ms", "tpot_p99_ms")),
                    words.ratio(each["tpot_p99_ratio"]),
                    words.number(each["service_p90_ms"]),
                    words.ratio(each["service_p90_ratio"]),
                    words.number(each["tokens_per_s"]),
                    words.percentage(each["slo_share"]),
                ]


def objectives(scenario: Mapping[str, Any]) -> str:
    """The objectives of the programs; empty without one."""
    names = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "latency"}
    found = []
    for name, program in scenario["programs"].items():
        limits = [f"{names[key]} ≤ {words.number(most)} ms" for key, most in program["slo"].items()]
        if limits:
            found.append(f"{', '.join(limits)} of {name}")
    return f"Objective of a request: {'; '.join(found)}." if found else ""
