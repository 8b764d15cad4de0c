"""The result of ``giveway bench`` on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from giveway.cli.table import Column, render

if TYPE_CHECKING:
    from rich.console import Console


def show(result: dict[str, Any], console: Console) -> None:
    """Each scenario: what ran, the figures, the bars, and what to know before believing them."""
    machine = result["machine"]
    where = f"{machine['device']} ({machine['cpu']}, {machine['cores']} cores)"
    console.print(f"On {result['device']}: {where}.", markup=False)
    for scenario in result["results"]:
        console.print()
        _scenario(scenario, console)
    bars = result["bars"]
    console.print(
        f"\n{bars['passed']} passed, {bars['failed']} failed, {bars['not_measured']} not measured."
    )


def _scenario(scenario: dict[str, Any], console: Console) -> None:
    console.print(f"{scenario['name']}: {scenario['title'] or scenario['status']}", markup=False)
    for name, program in scenario.get("programs", {}).items():
        console.print(f"  {name}: {_program(program)}", markup=False)
    if scenario.get("modes"):
        for line in _table(scenario):
            console.print(f"  {line}", markup=False, soft_wrap=True)
    for bar in scenario["bars"]:
        console.print(f"{bar['verdict']:12} {bar['text']}: {_found(bar)}", markup=False)
    for failure in scenario.get("failures", []):
        words = "".join(f"\n    {line}" for line in failure["last_lines"])
        place = f"{failure['mode']}, round {failure['round'] + 1}"
        console.print(
            f"FAILED       {failure['program']} {failure['what']} ({place}){words}", markup=False
        )
    for mode, reason in scenario.get("modes_not_measured", {}).items():
        console.print(f"Not measured: {mode}: {reason}.", markup=False)
    noise = scenario.get("noise", {})
    if noise.get("noisy"):
        console.print(f"This machine is noisy: {noise['text']}.", markup=False)


def _program(program: dict[str, Any]) -> str:
    if program["command"]:
        return f"{' '.join(program['command'])}, priority {program['priority']}"
    size = ", ".join(f"{key} {value}" for key, value in (program["size"] or {}).items())
    rate = f", {program['rate']:g} requests/s" if program["rate"] else ""
    verb = "training " if program["task"] == "train" else ""
    return (
        f"{verb}{program['model']} ({size}), {program['arrivals']}{rate}, "
        f"priority {program['priority']}"
    )


def _table(scenario: dict[str, Any]) -> list[str]:
    rows = [
        [
            mode,
            name,
            *(_number(figures[key]) for key in ("p50_ms", "p99_ms", "max_ms")),
            _estimate(figures["p99_ratio"], "{:.2f}"),
            _number(figures["throughput"]),
            _share(figures["share_of_alone"]),
            _share(figures["share_of_left"]),
        ]
        for mode, programs in scenario["modes"].items()
        for name, figures in programs.items()
    ]
    numbers = ("P50 ms", "P99 ms", "MAX ms", "P99 × ALONE", "PER s", "OF ALONE", "OF LEFT")
    columns = [Column("MODE"), Column("PROGRAM"), *(Column(each, right=True) for each in numbers)]
    return render(columns, rows)


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
    return f"{text} ({'–'.join(form.format(edge) for edge in value['interval'])})"


def _share(value: dict[str, Any] | None) -> str:
    return "" if value is None else f"{value['value']:.0%}"


def _found(bar: dict[str, Any]) -> str:
    if bar["reason"] is not None:
        return str(bar["reason"])
    if isinstance(bar["value"], list):
        return ", ".join(f"{value:.3g}" for value in bar["value"])
    if bar["interval"] is None:
        return f"{bar['value']:.4g}"
    low, high = bar["interval"]
    return f"{bar['value']:.3g} (95 % interval {low:.3g} to {high:.3g})"
