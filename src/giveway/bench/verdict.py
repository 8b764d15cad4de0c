"""What a scenario's figures come to, in one sentence, and what to know before believing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

Scenario = Mapping[str, Any]
"""One of ``results`` in a result."""


Outcome = Literal["helped", "worse", "unclear", "not measured"]
_OPENING: Final = {
    "helped": "giveway helped",
    "worse": "giveway made it worse",
    "unclear": "No clear gain, as the intervals overlap",
}


def urgent_and_other(scenario: Scenario) -> tuple[str, str]:
    """The names of the most and of the least urgent program."""
    programs = scenario["programs"]
    names = sorted(programs, key=lambda name: -programs[name]["priority"])
    return names[0], names[-1]


def outcome(scenario: Scenario) -> Outcome:
    """Whether giveway helped; a difference is one where the intervals do not overlap."""
    without, with_it = _ratios(scenario)
    if not without or not with_it:
        return "not measured"
    if with_it["interval"][1] < without["interval"][0]:
        return "helped"
    return "worse" if with_it["interval"][0] > without["interval"][1] else "unclear"


def verdict(scenario: Scenario) -> str:
    """What was gained."""
    found = outcome(scenario)
    if found == "not measured":
        return "Not measured: this needs alone, native and giveway."
    urgent, other = urgent_and_other(scenario)
    without, with_it = _ratios(scenario)
    said = (
        f"{_OPENING[found]}: beside {other}, the p99 of {urgent} was {times(with_it['value'])} its "
        f"time alone with giveway, {times(without['value'])} without"
    )
    shares = [scenario["modes"][mode][other]["share_of_left"] for mode in ("giveway", "native")]
    if all(shares):
        gained, native = (share["value"] for share in shares)
        said += (
            f"; {other} got {gained:.0%} of what {urgent} leaves with giveway, {native:.0%} without"
        )
    return f"{said}."


def _ratios(scenario: Scenario) -> tuple[Any, Any]:
    """The p99 of the most urgent program by that of alone, without giveway and with it."""
    urgent, _ = urgent_and_other(scenario)
    native, giveway = (
        scenario["modes"].get(mode, {}).get(urgent, {}).get("p99_ratio")
        for mode in ("native", "giveway")
    )
    return native, giveway


def warnings(scenario: Scenario) -> list[str]:
    """What a reader has to know before believing the figures; one sentence each."""
    found = []
    if scenario["noise"]["noisy"]:
        found.append(f"This machine is noisy: {scenario['noise']['text']}.")
    for name, program in scenario["programs"].items():
        for mode, programs in scenario["modes"].items():
            p50 = programs.get(name, {}).get("p50_ms")
            if program["rate"] and p50 is not None and p50 * program["rate"] > 1e3:
                found.append(
                    f"In the mode {mode}, {name} could not keep up with its requests, so its "
                    "latencies there grow with the length of the run."
                )
    return found


def times(ratio: float) -> str:
    """A ratio as a person writes it."""
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"
