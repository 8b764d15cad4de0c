"""Figures, bars and programs in words: rounded, with units, for every output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from giveway.results import verdict
from giveway.results.names import mode_name
from giveway.scenarios.modes import split

NONE: Final = "–"

Estimate = Mapping[str, Any]
"""A mapping with ``value`` and ``interval`` (two numbers, or None)."""


TOO_FEW: Final = "too few rounds"
_WIDE: Final = 100.0
"""The upper edge, and the factor between both, above which an interval is not worth its digits."""


def times(value: float) -> str:
    """A ratio that does not wrap at the end of a line."""
    return kept(verdict.times(value))


def kept(sentence: str) -> str:
    """A sentence that does not wrap between a number and its ``×``."""
    return sentence.replace(" ×", "\u00a0×")


def milliseconds(value: float | None) -> str:
    """A time given in ms, with its unit; in s from 1000 ms on."""
    if value is None:
        return NONE
    return f"{number(value)} ms" if value < 1000 else f"{value / 1000:.2f} s"


def rounds(settings: Mapping[str, Any]) -> str:
    """How much a run measured in each mode."""
    count = settings["repeats"]
    return f"{count} round{'' if count == 1 else 's'} of {number(settings['seconds'])} s"


def number(value: float | None) -> str:
    """A number with three significant digits and without an exponent."""
    if value is None:
        return NONE
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def whole(value: float | None) -> str:
    """A count with its digits in groups of three."""
    return NONE if value is None else f"{value:,.0f}".replace(",", "\u202f")


def share(value: float | None) -> str:
    """A share as a percentage: 0.93 gives ``93%``."""
    return NONE if value is None else f"{100 * value:.0f}%"


def ratio(estimate: Estimate | None) -> str:
    """A ratio with its interval."""
    if estimate is None:
        return NONE
    return f"{times(estimate['value'])}{_interval(estimate, lambda edge: times(edge)[:-2])}"


def percentage(estimate: Estimate | None) -> str:
    """A share with its interval."""
    if estimate is None:
        return NONE
    return f"{share(estimate['value'])}{_interval(estimate, lambda edge: f'{100 * edge:.0f}')}"


def _interval(estimate: Estimate, form: Callable[[float], str]) -> str:
    if estimate["interval"] is None:
        return ""
    return f" ({edges(estimate['interval'], form)})"


def edges(interval: Sequence[float], form: Callable[[float], str]) -> str:
    """An interval. Two rounds that differ can have one of many orders of magnitude, which says only
    that there are too few."""
    low, high = interval
    return TOO_FEW if 0 <= low < high / _WIDE and high > _WIDE else f"{form(low)}–{form(high)}"


def span(values: Sequence[float]) -> str:
    """The range of ratios; one number if both ends look the same."""
    low, high = times(min(values)), times(max(values))
    return low if low == high else f"{low[:-2]} to {high}"


def bar(value: Mapping[str, Any]) -> str:
    """The condition of a bar."""
    if value["order"]:
        return f"{_subject(value['figure'])}: {' ≤ '.join(value['order'])}"
    sign, limit = ("≤", value["at_most"])
    if limit is None:
        sign, limit = "≥", value["at_least"]
    where = "" if value["mode"] == "giveway" else f", {mode_name(value['mode'])}"
    subject = _subject(value["figure"])
    unit = _unit(value["figure"])
    return (
        f"{subject} of {value['program']} {sign} {_in_units(value['figure'], limit)}{unit}{where}"
    )


def measured(value: Mapping[str, Any]) -> str:
    """The figure that a bar was judged by, or the reason why the bar was not judged."""
    if value["value"] is None:
        return str(value["reason"])
    figure = value["figure"]
    if isinstance(value["value"], list):
        return ", ".join(_in_units(figure, each) for each in value["value"])
    text = f"{_in_units(figure, value['value'])}"
    if value["interval"] is None:
        return f"{text} ({value['reason']})" if value["reason"] else text
    low, high = (_in_units(figure, edge).removesuffix("%") for edge in value["interval"])
    return f"{text} ({low}–{high})"


_UNITS: Final = {
    "share_of_alone": " of alone",
    "worst_share_of_alone": " of alone",
    "kept_of_native": " of native",
    "slo_share": "",
    "tokens_per_s": "",
}
_SUBJECTS: Final = {
    "p999_ms": "p99.9",
    "max_ms": "largest latency",
    "share_of_alone": "throughput",
    "worst_share_of_alone": "throughput in the worst round",
    "kept_of_native": "throughput",
    "slo_share": "requests inside the objective",
    "tokens_per_s": "tokens per second",
}
_TIMES: Final = {"service": "service time", "ttft": "TTFT", "tpot": "TPOT"}


def _unit(figure: str) -> str:
    return " × alone" if figure.endswith("_ratio") else _UNITS.get(figure, " ms")


def _subject(figure: str) -> str:
    first, _, rest = figure.partition("_")
    if first in _TIMES:
        return f"{_TIMES[first]} {rest.partition('_')[0]}"
    return _SUBJECTS.get(figure, first)


def _in_units(figure: str, value: float) -> str:
    shares = "share" in figure or figure == "kept_of_native"
    return f"{number(100 * value)}%" if shares else number(value)


def short(name: str) -> str:
    """A name shortened to 20 characters, for lines that cannot wrap."""
    return name if len(name) <= 20 else f"{name[:19]}…"


def device_busy(scenario: Mapping[str, Any]) -> str:
    """The busy share of the device in each mode, and for each program alone; empty if unknown."""
    parts = []
    for key, value in (scenario.get("device_busy_share") or {}).items():
        mode, program = split(key)
        name = mode_name(mode)
        if value is not None:
            parts.append(" ".join(filter(None, (share(value), program, name))))
    return f"Device busy: {', '.join(parts)}." if parts else ""


def share_sums(scenario: Mapping[str, Any]) -> str:
    """The sum of what all programs got, in each mode; empty if unknown."""
    parts = [
        f"{percentage(each)} {mode_name(mode)}"
        for mode, each in (scenario.get("share_sum") or {}).items()
        if each is not None
    ]
    return f"Shares of all programs together: {', '.join(parts)}." if parts else ""


def not_measured(scenario: Mapping[str, Any]) -> Iterator[str]:
    """The programs that ran in a mode and were not measured there; a sentence for each reason."""
    found: dict[str, list[str]] = {}
    for mode, programs in scenario.get("modes", {}).items():
        for name, figures in programs.items():
            if figures["not_measured"] is not None:
                found.setdefault(figures["not_measured"], []).append(f"{name} {mode_name(mode)}")
    for why, what in found.items():
        yield f"Not measured: {', '.join(what)} ({why})."


def size(count: float) -> str:
    """A number of bytes with a decimal unit."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{number(count / factor)} {unit}"
    return f"{count:.0f} bytes"


def program(value: Mapping[str, Any]) -> str:
    """The work, the load and the priority of a program of a scenario."""
    if value["command"]:
        load = f", {_load(value)}" if value.get("server") else ""
        return f"{' '.join(value['command'])}{load}, priority {value['priority']}"
    sizes = ", ".join(f"{key} {size}" for key, size in (value["size"] or {}).items())
    verb = "training of " if value["task"] == "train" else ""
    return (
        f"{verb}{value['model']}{f' ({sizes})' if sizes else ''}, {_load(value)}, "
        f"priority {value['priority']}"
    )


def _load(value: Mapping[str, Any]) -> str:
    if value["arrivals"] == "saturating":
        return "without pause"
    arrivals = {"fixed": "evenly spaced", "poisson": "Poisson", "trace": "as traced"}
    rate = f"{number(value['rate'])} requests/s, " if value["rate"] else ""
    load = f"{rate}{arrivals.get(value['arrivals'], value['arrivals'])}"
    if tokens := value.get("tokens"):
        load += f", {_range(tokens['prompt'])} tokens in and {_range(tokens['output'])} out"
    return load


def _range(lengths: Sequence[int]) -> str:
    least, most = lengths
    return str(least) if least == most else f"{least} to {most}"
