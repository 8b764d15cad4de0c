"""The verdict on everything in a report, in a sentence."""

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
    """A few words below the verdict."""

    tone: Tone
    text: str


def scenarios(found: Found) -> list[verdict.Scenario]:
    """Those of all runs."""
    return [each for run in found.runs for each in run.result["results"]]


def sentence(found: Found) -> str:
    """What it all comes to."""
    judged = [each for each in scenarios(found) if ratios(each)]
    if len(judged) == 1:
        return words.kept(verdict.verdict(judged[0]))
    if judged:
        return _several(judged)
    if found.runs:
        return "Whether giveway helps was not measured: this needs alone, native and giveway."
    return (
        "PyTorch computes the same under giveway."
        if _all_ok(found.verifies)
        else ("Under giveway, not every check came to the same.")
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
        opening = f"No gain can be told in any of {len(judged)} scenarios"
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
    """What else to know at once: the bars, the checks, and what went wrong."""
    said: list[Fact] = []
    counts = Counter(bar["verdict"] for each in scenarios(found) for bar in each["bars"])
    if counts[bars.PASS]:
        said.append(Fact("good", f"{counts[bars.PASS]} of {counts.total()} bars hold"))
    if counts[bars.FAIL]:
        said.append(Fact("bad", f"{counts[bars.FAIL]} failed"))
    if counts[bars.NOT_MEASURED]:
        said.append(Fact("open", f"{counts[bars.NOT_MEASURED]} not measured"))
    for each in found.verifies:
        checks = each.result["counts"]
        ran = checks["passed"] + checks["failed"]
        tone: Tone = "good" if each.result["ok"] else "bad"
        device = each.result["device"]["name"]
        said.append(Fact(tone, f"{checks['passed']} of {ran} checks passed on {device}"))
    return said


def cautions(found: Found) -> list[str]:
    """What a reader has to know before believing it; one sentence each."""
    said = []
    for run in found.runs:
        if not run.result["complete"]:
            said.append(
                f"The run in {run.folder.name} was not finished; this is what it had measured."
            )
        for scenario in run.result["results"]:
            said += [
                f"In {scenario['name']}, {each['program']} {each['what']}."
                for each in scenario.get("failures", [])
            ]
            if scenario.get("programs"):
                said += [f"{scenario['name']}: {each}" for each in verdict.warnings(scenario)]
    said += [
        f"The checks in {each.path.name} were interrupted."
        for each in found.verifies
        if each.result["interrupted"]
    ]
    return said
