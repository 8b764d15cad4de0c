"""The result of ``giveway bench`` on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from giveway.cli.parts.table import Column, render
from giveway.report import families, words
from giveway.results import requests
from giveway.results.names import mode_name
from giveway.results.verdict import at_start, warnings

_COLUMNS: Final = (
    Column("MODE", keep=9),
    Column("PROGRAM", keep=8),
    Column("P50 ms", right=True, keep=5),
    Column("P99 ms", right=True, keep=6),
    Column("MAX ms", right=True, keep=1),
    Column("P99 × ALONE", right=True, keep=7),
    Column("PER s", right=True, keep=2),
    Column("OF ALONE", right=True, keep=3),
    Column("OF NATIVE", right=True, keep=4),
)
_REQUESTS: Final = (
    Column("MODE", keep=9),
    Column("PROGRAM", keep=8),
    Column("TTFT P50 ms", right=True, keep=4),
    Column("P99", right=True, keep=5),
    Column("× ALONE", right=True, keep=7),
    Column("TPOT P50 ms", right=True, keep=3),
    Column("P99", right=True, keep=2),
    Column("× ALONE", right=True, keep=6),
    Column("SERVICE P90 ms", right=True, keep=1),
    Column("× ALONE", right=True, keep=1),
    Column("TOKENS/s", right=True, keep=1),
    Column("IN SLO", right=True, keep=5),
)
_INDENT: Final = "  "


def lines(result: dict[str, Any], width: int | None = None) -> Iterator[str]:
    """Each scenario: its programs, the figures, the bars, and warnings about the measurement.

    A table that is wider than ``width`` cells loses its less important columns.
    """
    machine = result["machine"]
    yield f"{result['device']}: {machine['device']} ({machine['cpu']}, {machine['cores']} cores)"
    yield from (f"{each}." for each in at_start(result))
    for family in families.of(result["results"]):
        yield ""
        yield from _family(family, width)
    for scenario in result["results"]:
        if not scenario.get("family"):
            yield ""
            yield from _scenario(scenario, width)
    bars = result["bars"]
    yield ""
    yield (
        f"{bars['passed']} passed, {bars['failed']} failed, {bars['not_shown']} not shown, "
        f"{bars['not_measured']} not measured."
    )


def _family(family: families.Family, width: int | None) -> Iterator[str]:
    """One table for all members, and what there is to say about each."""
    yield f"{family.name}: {family.members[0]['title'] or family.members[0]['status']}"
    titles = families.columns(family)
    columns = [
        Column(each.title, right=each.number, keep=len(titles) - at)
        for at, each in enumerate(titles)
    ]
    inside = None if width is None else width - len(_INDENT)
    # A terminal wraps nowhere in a table.
    rows = [[cell.replace("\u00a0", " ") for cell in row] for row in families.rows(family)]
    yield from (f"{_INDENT}{line}" for line in render(columns, rows, inside))
    for member in family.members:
        for line in _remarks(member):
            yield f"{families.member_name(member)}: {line}"


def _scenario(scenario: dict[str, Any], width: int | None) -> Iterator[str]:
    yield f"{scenario['name']}: {scenario['title'] or scenario['status']}"
    for name, program in scenario.get("programs", {}).items():
        yield f"  {name}: {words.program(program)}"
    if scenario.get("modes"):
        inside = None if width is None else width - len(_INDENT)
        yield from (f"{_INDENT}{line}" for line in _table(scenario, inside))
        yield from (f"{_INDENT}{line}" for line in _requests(scenario, inside))
    for line in filter(None, (words.share_sums(scenario), words.device_busy(scenario))):
        yield f"{_INDENT}{line}"
    for name, figures in scenario.get("modes", {}).get("giveway", {}).items():
        if figures["holds"]:
            times, seconds = figures["preemptions"], figures["held_seconds"]
            yield (
                f"  giveway preempted {name} {times} times and held it for {seconds:.1f} s"
                f"{_latency(figures['preemption_latency_ms'])}."
            )
    yield from _remarks(scenario)


def _remarks(scenario: Mapping[str, Any]) -> Iterator[str]:
    """The bars, and what failed, was not measured or is to be distrusted."""
    for bar in scenario["bars"]:
        yield f"{bar['verdict']:12} {bar['text']}: {_found(bar)}"
    for failure in scenario.get("failures", []):
        place = f"{mode_name(failure['mode'])}, round {failure['round'] + 1}"
        yield f"FAILED       {failure['program']} {failure['what']} ({place})"
        yield from (f"    {line}" for line in failure["last_lines"])
    for mode, reason in scenario.get("modes_not_measured", {}).items():
        yield f"Not measured: {mode_name(mode)} ({reason})."
    yield from words.not_measured(scenario)
    if "noise" in scenario:
        yield from warnings(scenario)


def _latency(figure: dict[str, Any]) -> str:
    """The preemption latency, where it is known."""
    if figure["value"] is None:
        return ""
    return f"; it gave way in {figure['value']:.2g} ms (p50), {figure['longest']:.2g} ms at most"


def _table(scenario: dict[str, Any], width: int | None) -> list[str]:
    rows = [
        [
            mode_name(mode),
            name,
            *(_number(figures[key]) for key in ("p50_ms", "p99_ms", "max_ms")),
            _estimate(figures["p99_ratio"], "{:.2f}"),
            _number(figures["throughput"]),
            _share(figures["share_of_alone"]),
            _share(figures["kept_of_native"]),
        ]
        for mode, programs in scenario["modes"].items()
        for name, figures in programs.items()
    ]
    return render(_COLUMNS, rows, width)


def _requests(scenario: dict[str, Any], width: int | None) -> list[str]:
    """The table of programs that answer with tokens or have an objective; empty without these."""
    rows = [
        [
            mode_name(mode),
            name,
            *(_number(figures[key]) for key in ("ttft_p50_ms", "ttft_p99_ms")),
            _estimate(figures["ttft_p99_ratio"], "{:.2f}"),
            *(_number(figures[key]) for key in ("tpot_p50_ms", "tpot_p99_ms")),
            _estimate(figures["tpot_p99_ratio"], "{:.2f}"),
            _number(figures["service_p90_ms"]),
            _estimate(figures["service_p90_ratio"], "{:.2f}"),
            _number(figures["tokens_per_s"]),
            _share(figures["slo_share"]),
        ]
        for mode, programs in scenario["modes"].items()
        for name, figures in programs.items()
        if requests.measured(figures)
    ]
    return render(_REQUESTS, rows, width) if rows else []


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _estimate(value: dict[str, Any] | None, form: str) -> str:
    if value is None:
        return ""
    text = form.format(value["value"])
    if value["interval"] is None:
        return text
    return f"{text} ({words.edges(value['interval'], form.format)})"


def _share(value: dict[str, Any] | None) -> str:
    return "" if value is None else f"{value['value']:.0%}"


def _found(bar: dict[str, Any]) -> str:
    if bar["value"] is None:
        return str(bar["reason"])
    if isinstance(bar["value"], list):
        text = ", ".join(f"{value:.3g}" for value in bar["value"])
    elif bar["interval"] is None:
        text = f"{bar['value']:.4g}"
    else:
        low, high = bar["interval"]
        text = f"{bar['value']:.3g} (95 % interval {low:.3g} to {high:.3g})"
    return f"{text} ({bar['reason']})" if bar["reason"] else text
