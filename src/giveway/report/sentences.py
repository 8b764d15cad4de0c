"""The verdict on one scenario in a sentence, also for scenarios that the bench does not judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from giveway.results import store, verdict


def of(scenario: verdict.Scenario, records: store.Records) -> str:
    """The sentence about a scenario.

    Args:
        records: the raw records, which state whether the programs ran together.
    """
    if scenario["status"] == "not started":
        return "Not started."
    if scenario["status"] == "failed":
        each = scenario["failures"][0]
        return f"Failed: {each['program']} {each['what']}."
    scenarios = (each["scenario"] for each in records if each["kind"] == "scenario")
    described: Mapping[str, Any] = next(scenarios, {})
    if not described.get("together", True):
        return _by_itself(scenario)
    if not answers_requests(scenario):
        return _never_below(scenario)
    return verdict.verdict(scenario)


def answers_requests(scenario: verdict.Scenario) -> bool:
    """Whether the most urgent program answers requests. For a saturating program, latency says
    nothing."""
    if not scenario.get("programs"):
        return False
    urgent, _ = verdict.urgent_and_other(scenario)
    return bool(scenario["programs"][urgent]["arrivals"] != "saturating")


def _by_itself(scenario: verdict.Scenario) -> str:
    shares = [
        each["share_of_alone"]["value"]
        for each in scenario["modes"].get("giveway", {}).values()
        if each["share_of_alone"]
    ]
    if not shares:
        return "Not measured: this needs the modes alone and giveway."
    low, high = (f"{100 * each:.1f}" for each in (min(shares), max(shares)))
    kept = f"{low}%" if low == high else f"{low} to {high}%"
    return f"With giveway and no rival, the programs kept {kept} of their throughput."


def _never_below(scenario: verdict.Scenario) -> str:
    urgent, other = verdict.urgent_and_other(scenario)
    worst = {
        mode: scenario["modes"].get(mode, {}).get(other, {}).get("worst_share_of_alone")
        for mode in ("giveway", "native")
    }
    if not worst["giveway"]:
        return "Not measured: this needs the modes alone and giveway."
    sentence = (
        f"Beside {urgent}, which always has work, {other} had at least "
        f"{100 * worst['giveway']['value']:.3g}% of its throughput alone with giveway"
    )
    if worst["native"]:
        sentence += f", {worst['native']['value']:.0%} without"
    return f"{sentence}."
