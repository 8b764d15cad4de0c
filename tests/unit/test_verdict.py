"""The sentence about what was gained, and the warnings beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from giveway.results.verdict import times, verdict, warnings
from tests.unit.bench_records import low, records, scenario_of


def test_verdict_says_what_was_gained() -> None:
    said = verdict(scenario_of(native=(60, 60, 60), giveway=(11, 11, 11)))
    assert said.startswith("giveway helped")
    assert "1.10 × its time alone with giveway, 6.00 × without" in said
    assert "low had 60% of its throughput alone with giveway, 40% without" in said


@pytest.mark.parametrize(
    ("rounds", "why"),
    [
        ({"giveway": (10, 11, 51)}, "the rounds differ: p99 without giveway was 0."),
        ({"native": (10, 10, 10), "giveway": (10, 10, 10)}, "the rounds differ"),
        (
            {"native": (60,), "giveway": (11,), "alone": (10,)},
            "one round is not enough to tell a gain",
        ),
    ],
)
def test_verdict_tells_nothing_where_nothing_can_be_told(
    rounds: dict[str, tuple[float, ...]], why: str
) -> None:
    said = verdict(scenario_of(**rounds))
    assert said.startswith(f"A gain cannot be shown, because {why}"), said
    assert "with giveway" in said


def test_verdict_on_a_p99_of_few_requests_tells_nothing() -> None:
    raw = records(native=(60, 60, 60), giveway=(11, 11, 11))
    for each in raw:
        if "high" in each.get("programs", {}):
            del each["programs"]["high"]["latencies_us"][:67]
    said = verdict(scenario_of(raw))
    assert said.startswith(
        "A gain cannot be shown, because high had 99 requests, and a p99 needs 100"
    )


def test_verdict_admits_a_loss() -> None:
    lost = scenario_of(native=(11, 11, 11), giveway=(40, 50, 60))
    assert verdict(lost).startswith("giveway made it worse")


def test_verdict_needs_all_three() -> None:
    alone = [each for each in records() if each.get("mode") in (None, "alone")]
    assert verdict(scenario_of(alone)).startswith("Not measured")


def test_a_verdict_is_by_the_rounds_and_not_by_how_far_rounds_alone_differ() -> None:
    """A machine that is slower in one round is slower for both modes."""
    said = verdict(scenario_of(alone=(10, 14, 10), native=(60, 84, 60), giveway=(11, 15, 11)))
    assert said.startswith("giveway helped")


def test_a_quiet_machine_gets_no_warning() -> None:
    scenario = scenario_of(alone=(10, 10.5, 10.9))
    assert scenario["noise"]["noisy"] is False
    assert scenario["noise"]["differs"]["p50_ms of high"] == pytest.approx(0.043, abs=1e-3)
    assert warnings(scenario) == []


def test_a_noisy_machine_is_told_so() -> None:
    (warning,) = warnings(scenario_of(alone=(10, 12, 13)))
    assert "noisy" in warning
    assert "p50 of high by 13%" in warning
    assert "throughput" not in warning


def test_a_p99_that_differs_as_its_requests_explain_is_no_noise() -> None:
    """The p99 of a hundred requests is one of the two slowest."""
    draw = np.random.default_rng(1)
    raw = records()
    for each in raw:
        if each["kind"] == "segment" and "high" in each["programs"]:
            each["programs"]["high"]["latencies_us"] = (
                1e4 * np.exp(np.abs(draw.normal(0, 0.3, 100)))
            ).tolist()
    scenario = scenario_of(raw)
    p99 = [each["p99_ms"] for each in scenario["modes"]["alone"]["high"]["rounds"]]
    assert max(p99) > 1.1 * min(p99)
    assert not scenario["noise"]["noisy"]
    assert 0 < scenario["noise"]["differs"]["p99_ms of high"] < 0.3


def test_a_queue_that_only_grows_is_pointed_out() -> None:
    assert warnings(busy_without_giveway(49, 1.0)) == []
    # A request every 50 ms, and the typical one waits for longer than that.
    (warning,) = warnings(busy_without_giveway(51, 1.0))
    assert "could not keep up" in warning
    assert warning.startswith("Without giveway, high could not keep up")


def test_a_long_queue_of_a_high_load_does_not_only_grow() -> None:
    """At 90 % of its capacity, a program has several requests in its queue most of the time."""
    assert warnings(busy_without_giveway(51, 0.9)) == []


def busy_without_giveway(latency: float, share: float) -> dict[str, Any]:
    """The scenario with requests that take so many ms, and a program at work for that share."""
    raw = records(native=(latency, latency, latency))
    for each in raw:
        if each.get("mode") == "native":
            each["programs"]["high"] |= {"busy_seconds": 5 * share}
    return scenario_of(raw)


def test_a_program_that_was_slower_alone_is_pointed_out() -> None:
    """Its ratios look better than any sharing can be, and nothing else says so."""
    assert warnings(scenario_of(native=(9, 9, 9))) == []
    (warning,) = warnings(scenario_of(native=(7, 7, 7), giveway=(7, 7, 7)))
    assert warning == "high was slower alone than without giveway: something disturbed it."
    raw = records()
    for each in raw:
        if each.get("mode") == "giveway":
            each["programs"]["low"] |= low(26.0)
    (warning,) = warnings(scenario_of(raw))
    assert warning == "low was slower alone than with giveway: something disturbed it."


def test_a_p99_of_few_requests_is_pointed_out() -> None:
    """A table shows it beside those of many."""
    raw = records()
    for each in raw:
        if each.get("mode") == "native":
            part = each["programs"]["high"]
            part["latencies_us"] = part["latencies_us"][:2]
    assert warnings(scenario_of(raw)) == ["high had 6 requests, and a p99 needs 100."]


def test_times() -> None:
    assert times(1.149) == "1.15 ×"
    assert times(76.6) == "77 ×"
