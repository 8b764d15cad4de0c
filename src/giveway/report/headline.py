"""The headline of a report: the verdict on all results, with facts and cautions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from giveway.report import words
from giveway.report.load import Found, Verify
from giveway.report.svg.overview import ratios
from giveway.results import bars, verdict

Tone = Literal["good", "bad", "open"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A short remark below the headline."""

    tone: Tone
    text: str


def scenarios(found: Found) -> list[verdict.Scenario]:
    """The scenarios of all runs."""
    return [each for run in found.runs for each in run.result["results"]]


def sentence(found: Found) -> str:
    """The verdict on all results, in one sentence."""
    judged = [each for each in scenarios(found) if ratios(each)]
    if len(judged) == 1:
        return words.kept(verdict.verdict(judged[0]))
    if judged:
        return _several(judged)
    if found.runs:
        whys = (verdict.not_measured(each) for each in scenarios(found) if each.get("modes"))
        why = next(filter(None, whys), verdict.NEEDS_ALL)
        return f"Whether giveway helps was not measured: {why}."
    return (
        "PyTorch computes the same under giveway."
        if _all_ok(found.verifies)
        else "Not every check computed the same under giveway."
    )


def _several(judged: Sequence[verdict.Scenario]) -> str:
    outcomes = Counter(verdict.outcome(each) for each in judged)
    helped, worse = outcomes["helped"], outcomes["worse"]
    if helped == len(judged):
        all_of_them = "both" if helped == 2 else f"all {helped}"
        opening = f"giveway helped in {all_of_them} scenarios"
    elif helped:
        opening = f"giveway helped in {helped} of {len(judged)} scenarios"
        opening += f" and made {worse} worse" if worse else ""
    elif worse:
        opening = f"giveway made {worse} of {len(judged)} scenarios worse"
    else:
        opening = f"A gain cannot be shown in any of {len(judged)} scenarios"
    native, giveway = (
        words.span([ratios(each)[mode]["value"] for each in judged])
        for mode in ("native", "giveway")
    )
    return (
        f"{opening}: the p99 of the urgent program was {giveway} its time alone with giveway, "
        f"{native} without."
    )


def _all_ok(verifies: Sequence[Verify]) -> bool:
    return all(each.result["ok"] for each in verifies)


def facts(found: Found) -> list[Fact]:
    """The counts of bars and checks, by verdict."""
    found_facts: list[Fact] = []
    counts = Counter(bar["verdict"] for each in scenarios(found) for bar in each["bars"])
    if counts[bars.PASS]:
        found_facts.append(Fact("good", f"{counts[bars.PASS]} of {counts.total()} bars hold"))
    if counts[bars.FAIL]:
        found_facts.append(Fact("bad", f"{counts[bars.FAIL]} failed"))
    if counts[bars.NOT_SHOWN]:
        found_facts.append(Fact("open", f"{counts[bars.NOT_SHOWN]} not shown"))
    if counts[bars.NOT_MEASURED]:
        found_facts.append(Fact("open", f"{counts[bars.NOT_MEASURED]} not measured"))
    for each in found.verifies:
        checks = each.result["counts"]
        ran = checks["passed"] + checks["failed"]
        tone: Tone = "good" if each.result["ok"] else "bad"
        device = each.result["device"]["name"]
        found_facts.append(Fact(tone, f"{checks['passed']} of {ran} checks passed on {device}"))
    return found_facts


def cautions(found: Found) -> list[str]:
    """The reasons to distrust the results; one sentence each."""
    sentences = []
    for run in found.runs:
        if not run.result["complete"]:
            sentences.append(
                f"The run in {run.folder.name} was not finished; this is what it measured."
            )
        sentences += [f"{each}." for each in verdict.at_start(run.result)]
        for scenario in run.result["results"]:
            sentences += [
                f"In {scenario['name']}, {each['program']} {each['what']}."
                for each in scenario.get("failures", [])
            ]
            if scenario.get("programs"):
                sentences += [f"{scenario['name']}: {each}" for each in verdict.warnings(scenario)]
    sentences += [
        f"The checks in {each.path.name} were interrupted."
        for each in found.verifies
        if each.result["interrupted"]
    ]
    return sentences
