"""The verdict on a scenario in one sentence, and the warnings about its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from giveway.results.bars import NEEDED
from giveway.results.names import mode_name_at_start

Scenario = Mapping[str, Any]
"""An entry of ``results`` in a result."""

Outcome = Literal["helped", "worse", "unclear", "not measured"]
_OPENING: Final = {
    "helped": "giveway helped",
    "worse": "giveway made it worse",
}
_FIGURE: Final = "p99_ratio"
NEEDS_ALL: Final = "this needs the modes alone, native and giveway"


def urgent_and_other(scenario: Scenario) -> tuple[str, str]:
    """The names of the most and of the least urgent program."""
    programs = scenario["programs"]
    names = sorted(programs, key=lambda name: -programs[name]["priority"])
    return names[0], names[-1]


def outcome(scenario: Scenario) -> Outcome:
    """Whether giveway helped; ``unclear`` if the difference may be noise."""
    without, with_it = _ratios(scenario)
    if not without or not with_it:
        return "not measured"
    if _doubt(scenario) is not None:
        return "unclear"
    return "helped" if with_it["value"] < without["value"] else "worse"


def _doubt(scenario: Scenario) -> str | None:
    """The reason why the p99 with giveway and the p99 without may differ by noise only.

    None if there are enough requests for a p99, the intervals do not overlap, and the difference
    exceeds that between rounds alone.
    """
    urgent, _ = urgent_and_other(scenario)
    modes = ("alone", "native", "giveway")
    requests = min(scenario["modes"][mode][urgent]["requests"] for mode in modes)
    if requests < NEEDED[_FIGURE]:
        return f"{urgent} had {requests} requests, and a p99 needs {NEEDED[_FIGURE]}"
    noise = scenario["noise"]["differs"].get(f"p99_ms of {urgent}")
    if noise is None:
        return "one round is not enough to tell a gain from noise"
    without, with_it = _ratios(scenario)
    low, high = sorted((without, with_it), key=lambda each: float(each["value"]))
    if high["value"] / low["value"] - 1 <= noise:
        return f"even alone, the p99 of {urgent} differed by {noise:.0%} from round to round"
    if low["interval"][1] >= high["interval"][0]:
        return "the intervals overlap"
    return None


def verdict(scenario: Scenario) -> str:
    """The gain in one sentence."""
    found = outcome(scenario)
    if found == "not measured":
        return f"Not measured: {NEEDS_ALL}."
    urgent, other = urgent_and_other(scenario)
    without, with_it = _ratios(scenario)
    opening = _OPENING.get(found, f"A gain cannot be shown, because {_doubt(scenario)}")
    sentence = (
        f"{opening}: beside {other}, the p99 of {urgent} was {times(with_it['value'])} its "
        f"time alone with giveway, {times(without['value'])} without"
    )
    shares = [scenario["modes"][mode][other]["share_of_left"] for mode in ("giveway", "native")]
    if all(shares):
        gained, native = (share["value"] for share in shares)
        sentence += (
            f"; {other} got {gained:.0%} of what {urgent} leaves with giveway, {native:.0%} without"
        )
    return f"{sentence}."


def _ratios(scenario: Scenario) -> tuple[Any, Any]:
    """The p99 of the most urgent program over its p99 alone: without giveway, and with it."""
    urgent, _ = urgent_and_other(scenario)
    native, giveway = (
        scenario["modes"].get(mode, {}).get(urgent, {}).get(_FIGURE)
        for mode in ("native", "giveway")
    )
    return native, giveway


def warnings(scenario: Scenario) -> list[str]:
    """The reasons to distrust the figures; one sentence each."""
    found = []
    if scenario["noise"]["noisy"]:
        found.append(f"This machine is noisy: {scenario['noise']['text']}.")
    for name, program in scenario["programs"].items():
        for mode, programs in scenario["modes"].items():
            p50 = programs.get(name, {}).get("p50_ms")
            if program["rate"] and p50 is not None and p50 * program["rate"] > 1e3:
                found.append(
                    f"{mode_name_at_start(mode)}, {name} could not keep up with its "
                    "requests, so its latencies there grow with the length of the run."
                )
    return found


def times(ratio: float) -> str:
    """A ratio with two decimals, from 10 on with none, and a sign: ``1.15 ×``."""
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"
