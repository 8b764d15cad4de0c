"""What a scenario's figures come to, in one sentence, and what to know before believing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from giveway.results.bars import NEEDED

Scenario = Mapping[str, Any]
"""One of ``results`` in a result."""


Outcome = Literal["helped", "worse", "unclear", "not measured"]
_OPENING: Final = {
    "helped": "giveway helped",
    "worse": "giveway made it worse",
}
_FIGURE: Final = "p99_ratio"
_WHERE: Final = {"alone": "Alone", "native": "Without giveway", "giveway": "With giveway"}


def urgent_and_other(scenario: Scenario) -> tuple[str, str]:
    """The names of the most and of the least urgent program."""
    programs = scenario["programs"]
    names = sorted(programs, key=lambda name: -programs[name]["priority"])
    return names[0], names[-1]


def outcome(scenario: Scenario) -> Outcome:
    """Whether giveway helped; where nothing speaks against telling."""
    without, with_it = _ratios(scenario)
    if not without or not with_it:
        return "not measured"
    if _doubt(scenario) is not None:
        return "unclear"
    return "helped" if with_it["value"] < without["value"] else "worse"


def _doubt(scenario: Scenario) -> str | None:
    """Why the p99 with giveway cannot be told from that without, None where it can: there are
    enough requests for one, the intervals do not overlap, and the difference is greater than that
    between two rounds alone."""
    urgent, _ = urgent_and_other(scenario)
    modes = ("alone", "native", "giveway")
    requests = min(scenario["modes"][mode][urgent]["requests"] for mode in modes)
    if requests < NEEDED[_FIGURE]:
        return f"{urgent} had {requests} requests, and a p99 needs {NEEDED[_FIGURE]}"
    noise = scenario["noise"]["differs"].get(f"p99_ms of {urgent}")
    if noise is None:
        return "one round does not tell a gain from noise"
    without, with_it = _ratios(scenario)
    low, high = sorted((without, with_it), key=lambda each: float(each["value"]))
    if high["value"] / low["value"] - 1 <= noise:
        return f"even alone, the p99 of {urgent} differed by {noise:.0%} from round to round"
    if low["interval"][1] >= high["interval"][0]:
        return "the intervals overlap"
    return None


def verdict(scenario: Scenario) -> str:
    """What was gained."""
    found = outcome(scenario)
    if found == "not measured":
        return "Not measured: this needs alone, native and giveway."
    urgent, other = urgent_and_other(scenario)
    without, with_it = _ratios(scenario)
    opening = _OPENING.get(found, f"No gain can be told, as {_doubt(scenario)}")
    said = (
        f"{opening}: beside {other}, the p99 of {urgent} was {times(with_it['value'])} its "
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
        scenario["modes"].get(mode, {}).get(urgent, {}).get(_FIGURE)
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
                    f"{_WHERE.get(mode, f'With {mode}')}, {name} could not keep up with its "
                    "requests, so its latencies there grow with the length of the run."
                )
    return found


def times(ratio: float) -> str:
    """A ratio as a person writes it."""
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"
