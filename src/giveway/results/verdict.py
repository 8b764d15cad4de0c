"""The verdict on a scenario in one sentence, and the warnings about its figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, Final, Literal

from giveway.results.bars import NEEDED
from giveway.results.names import mode_name, mode_name_at_start
from giveway.results.rounds import MOST_OTHERS
from giveway.results.stats import interval

Scenario = Mapping[str, Any]
"""An entry of ``results`` in a result."""

Outcome = Literal["helped", "worse", "unclear", "not measured"]
_OPENING: Final = {
    "helped": "giveway helped",
    "worse": "giveway made it worse",
}
_FIGURE: Final = "p99_ratio"
_MODES: Final = ("alone", "native", "giveway")
_IN_TIME: Final = 0.8
"""The share of the requests in time below which a program cannot keep up; edges and chance of a
segment explain a smaller lack."""
_ALL_THE_TIME: Final = 0.98
"""The busy share from which on a program that answers one request at a time has no time left.
Below, its queue is long because requests come irregularly, and ends."""
_SLOWER: Final = 2.0
"""The ratio to alone above which the answers of such a program show a queue."""
CLEARLY: Final = {"p50_ratio": 1.25, _FIGURE: 1.5, "share_of_alone": 1.25}
"""The factor by which a figure has to differ from that alone, so that it does not by chance."""
NEEDS_ALL: Final = "this needs the modes alone, native and giveway"


def urgent_and_other(scenario: Scenario) -> tuple[str, str]:
    """The names of the most and of the least urgent program."""
    programs = scenario["programs"]
    names = sorted(programs, key=lambda name: -programs[name]["priority"])
    return names[0], names[-1]


def outcome(scenario: Scenario) -> Outcome:
    """Whether giveway helped; ``unclear`` if the rounds do not show it."""
    without, with_it = _ratios(scenario)
    if not without or not with_it:
        return "not measured"
    if _doubt(scenario) is not None:
        return "unclear"
    edges = _gain(scenario)
    return "helped" if edges is not None and edges[0] > 1 else "worse"


def _gain(scenario: Scenario) -> tuple[float, float] | None:
    """The interval of the p99 without giveway by that with it, round by round."""
    urgent, _ = urgent_and_other(scenario)
    without, with_it = (
        {
            each["round"]: each["p99_ms"]
            for each in scenario["modes"][mode][urgent]["rounds"]
            if each["fault"] is None and each["p99_ms"]
        }
        for mode in ("native", "giveway")
    )
    return interval([without[each] / with_it[each] for each in without if each in with_it])


def _doubt(scenario: Scenario) -> str | None:
    """The reason why the p99 with giveway and the p99 without may differ by chance only.

    None if there are enough requests for a p99, and the interval of their ratio excludes 1.
    """
    urgent, _ = urgent_and_other(scenario)
    requests = min(scenario["modes"][mode][urgent]["requests"] for mode in _MODES)
    if (few := _too_few(urgent, requests)) is not None:
        return few
    edges = _gain(scenario)
    if edges is None:
        return "one round is not enough to tell a gain from noise"
    if edges[0] <= 1 <= edges[1]:
        low, high = (f"{edge:.2g}" for edge in edges)
        return f"the rounds differ: p99 without giveway was {low} to {high} times that with it"
    return None


def _too_few(urgent: str, requests: int) -> str | None:
    if requests >= NEEDED[_FIGURE]:
        return None
    counted = "request" if requests == 1 else "requests"
    return f"{urgent} had {requests} {counted}, and a p99 needs {NEEDED[_FIGURE]}"


def meaningless(scenario: Scenario) -> str | None:
    """The reason why no ratio to *alone* means anything, in a clause; None if they do.

    There are too few requests, or a program was clearly slower alone than beside the other one:
    then something that no count shows has disturbed it alone.
    """
    urgent, _ = urgent_and_other(scenario)
    modes = {mode: scenario["modes"].get(mode, {}) for mode in _MODES}
    few = _too_few(urgent, min(each.get(urgent, {}).get("requests", 0) for each in modes.values()))
    return few or next(_slower_alone(scenario, ("native", "giveway")), None)


def _slower_alone(scenario: Scenario, modes: Iterable[str]) -> Iterator[str]:
    """The programs that were clearly slower alone than in one of the modes; a clause each."""
    urgent, other = urgent_and_other(scenario)
    said = set()
    for mode, figure in product(modes, CLEARLY):
        program = other if figure == "share_of_alone" else urgent
        figures = scenario["modes"][mode].get(program)
        if figures is None or figures[figure] is None or program in said:
            continue
        gain = figures[figure]["value"]
        if figure != "share_of_alone":
            gain = 1 / gain if gain else 0.0
        if gain > CLEARLY[figure] and figures["requests"] >= NEEDED.get(figure, 0):
            said.add(program)
            yield f"{program} was slower alone than {mode_name(mode)}: something disturbed it"


def not_measured(scenario: Scenario) -> str | None:
    """The reason why the urgent program was not measured although it ran; None if it was."""
    urgent, _ = urgent_and_other(scenario)
    for mode in _MODES:
        why = scenario["modes"].get(mode, {}).get(urgent, {}).get("not_measured")
        if why is not None:
            return f"{mode_name(mode)}, {why}"
    return None


def verdict(scenario: Scenario) -> str:
    """The gain in one sentence."""
    found = outcome(scenario)
    if found == "not measured":
        return f"Not measured: {not_measured(scenario) or NEEDS_ALL}."
    urgent, other = urgent_and_other(scenario)
    without, with_it = _ratios(scenario)
    opening = _OPENING.get(found, f"A gain cannot be shown, because {_doubt(scenario)}")
    sentence = (
        f"{opening}: beside {other}, the p99 of {urgent} was {times(with_it['value'])} its "
        f"time alone with giveway, {times(without['value'])} without"
    )
    shares = [scenario["modes"][mode][other]["share_of_alone"] for mode in ("giveway", "native")]
    if all(shares):
        gained, native = (share["value"] for share in shares)
        sentence += (
            f"; {other} had {gained:.0%} of its throughput alone with giveway, {native:.0%} without"
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
    if lost := scenario["rounds_lost"]:
        numbers = ", ".join(str(number + 1) for number, _ in lost)
        which = f"Rounds {numbers} do not count, the first" if lost[1:] else "Round " + numbers
        because = "because" if lost[1:] else "does not count:"
        found.append(f"{which} {because} {lost[0][1]}.")
    if scenario["noise"]["noisy"]:
        found.append(f"This machine is noisy: {scenario['noise']['text']}.")
    beside = [mode for mode in scenario["modes"] if mode != "alone"]
    urgent, _ = urgent_and_other(scenario)
    measured = (scenario["modes"][mode].get(urgent) for mode in beside)
    requests = [each["requests"] for each in measured if each and each[_FIGURE]]
    if requests and (few := _too_few(urgent, min(requests))):
        found.append(f"{few}.")
    found += [f"{each}." for each in _slower_alone(scenario, beside)]
    for name, program in scenario["programs"].items():
        for mode, programs in scenario["modes"].items():
            if program["rate"] and _falls_behind(program, programs.get(name, {})):
                found.append(
                    f"{mode_name_at_start(mode)}, {name} could not keep up with its "
                    "requests, so its latencies there grow with the length of the run."
                )
    return found


def _falls_behind(program: Mapping[str, Any], figures: Mapping[str, Any]) -> bool:
    """Whether a program answers fewer requests than come."""
    if figures.get("p50_ms") is None:
        return False
    if program["tokens"]:
        # It answers several at a time, so that long answers say nothing. Answers that come after
        # the segment are missing from its throughput alone, too.
        ratio = figures["p50_ratio"]
        late = ratio is not None and ratio["value"] > _SLOWER
        return bool(late and figures["throughput"] < _IN_TIME * program["rate"])
    waits = figures["p50_ms"] * program["rate"] > 1e3
    return bool(waits and (figures["busy_share"] or 0.0) >= _ALL_THE_TIME)


def at_start(result: Mapping[str, Any]) -> list[str]:
    """What else was on the machine when a run started; a sentence each, without its full stop."""
    found = result.get("at_start") or {}
    said = [
        f"{each[0].upper()}{each[1:]} took part in the run" for each in found.get("intruders", ())
    ]
    load = found.get("load") or {}
    if (share := load.get("device") or 0.0) > MOST_OTHERS:
        said.append(
            f"Other programs kept the GPU busy {share:.0%} of the time when the run started"
        )
    for key, what in (("others", "Other programs used"), ("steal", "Other machines took")):
        if load.get(key, 0.0) > MOST_OTHERS:
            named = ", ".join(f"{each['name']} (pid {each['pid']})" for each in load["programs"])
            who = f": {named}" if named and key == "others" else ""
            said.append(f"{what} {load[key]:.0%} of the processor time when the run started{who}")
    return said


def times(ratio: float) -> str:
    """A ratio with two decimals, from 10 on with none, and a sign: ``1.15 ×``."""
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"
