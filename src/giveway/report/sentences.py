"""What one scenario came to, in a sentence: that of the bench, and others where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from giveway.results import store, verdict


def of(scenario: verdict.Scenario, records: store.Records) -> str:
    """The sentence; the raw records say whether the programs ran together."""
    if scenario["status"] == "not started":
        return "Not started."
    if scenario["status"] == "failed":
        each = scenario["failures"][0]
        return f"Failed: {each['program']} {each['what']}."
    scenarios = (each["scenario"] for each in records if each["kind"] == "scenario")
    described: Mapping[str, Any] = next(scenarios, {})
    if not described.get("together", True):
        return _by_itself(scenario)
    if not asks(scenario):
        return _never_below(scenario)
    return verdict.verdict(scenario)


def asks(scenario: verdict.Scenario) -> bool:
    """Whether the most urgent program answers requests: of one that is never without work, latency
    says nothing."""
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
        return "Not measured: this needs alone and giveway."
    low, high = (f"{100 * each:.1f}" for each in (min(shares), max(shares)))
    kept = f"{low}%" if low == high else f"{low} to {high}%"
    return f"With giveway and no rival, programs kept {kept} of their throughput."


def _never_below(scenario: verdict.Scenario) -> str:
    urgent, other = verdict.urgent_and_other(scenario)
    worst = {
        mode: scenario["modes"].get(mode, {}).get(other, {}).get("worst_share_of_alone")
        for mode in ("giveway", "native")
    }
    if not worst["giveway"]:
        return "Not measured: this needs alone and giveway."
    said = (
        f"Beside {urgent}, which is never without work, {other} had at least "
        f"{100 * worst['giveway']['value']:.3g}% of its throughput alone with giveway"
    )
    return f"{said}, {worst['native']['value']:.0%} without." if worst["native"] else f"{said}."
