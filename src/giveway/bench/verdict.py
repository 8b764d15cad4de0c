"""What a scenario's figures come to, in one sentence, and what to know before believing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Scenario = Mapping[str, Any]
"""One of ``results`` in a result."""


def urgent_and_other(scenario: Scenario) -> tuple[str, str]:
    """The names of the most and of the least urgent program."""
    programs = scenario["programs"]
    names = sorted(programs, key=lambda name: -programs[name]["priority"])
    return names[0], names[-1]


def verdict(scenario: Scenario) -> str:
    """What was gained; a gain is one where the intervals do not overlap."""
    urgent, other = urgent_and_other(scenario)
    without, with_it = (
        scenario["modes"].get(mode, {}).get(urgent, {}).get("p99_ratio")
        for mode in ("native", "giveway")
    )
    if not without or not with_it:
        return "Not measured: this needs alone, native and giveway."
    if with_it["interval"][1] < without["interval"][0]:
        opening = "giveway helped"
    elif with_it["interval"][0] > without["interval"][1]:
        opening = "giveway made it worse"
    else:
        opening = "No clear gain, as the intervals overlap"
    said = (
        f"{opening}: beside {other}, the p99 of {urgent} was {times(with_it['value'])} its time "
        f"alone with giveway, {times(without['value'])} without"
    )
    shares = [scenario["modes"][mode][other]["share_of_left"] for mode in ("giveway", "native")]
    if all(shares):
        gained, native = (share["value"] for share in shares)
        said += (
            f"; {other} got {gained:.0%} of what {urgent} leaves with giveway, {native:.0%} without"
        )
    return f"{said}."


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
