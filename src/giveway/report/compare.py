"""Compares two results: which figures changed by more than chance explains.

Each figure is divided by the figure of the same program alone in the same round. So a machine that
became slower as a whole changes nothing, and what remains is the effect of the programs on each
other. `giveway.results.permutation` decides whether the rounds of the two results differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import numpy as np

from giveway.report import words
from giveway.report.load import Run
from giveway.results import permutation, requests, result, stats
from giveway.results.figures import shares_of_alone
from giveway.results.rounds import Round

SCHEMA: Final = 2
MODE: Final = "giveway"
NOISE: Final = 0.05
"""A smaller change never counts as one."""
PERCENTS: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0}
ENOUGH: Final = {"p50": 20, "p90": 50, "p99": 100}
"""The fewest requests, in all rounds, for which each percentile is compared. With fewer requests,
the percentile is one of the largest latencies."""
ROUNDS: Final = 2
"""The fewest rounds for which a figure has an interval."""

Moved = Literal["better", "worse", "no", "unknown"]
Sides = Sequence[Sequence[Round]]
"""The rounds of a program in the old result and in the new."""


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one figure of one program under giveway between two runs."""

    scenario: str
    program: str
    figure: str
    """A key of ``PERCENTS``, after ``ttft_`` or ``tpot_`` where it is of these times, or
    ``throughput``; all values are relative to the program alone."""
    old: float
    new: float
    ratio: float
    """The geometric mean over rounds of the new result, by that of the old."""
    interval: tuple[float, float]
    """The 95 % interval of ``ratio``."""
    noise: float
    """The largest relative change that counts as noise (0.05 is 5 %): of a p99, the standard error
    by its requests in either run; at least ``NOISE``."""
    p: float | None
    """The probability that chance makes any figure of the comparison seem to differ so clearly;
    None: there are too few rounds to tell."""
    moved: Moved


@dataclass
class Comparison:
    """All changes between two runs."""

    changes: list[Change] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Programs that worked in the old run and failed in the new one; one sentence each."""
    notes: list[str] = field(default_factory=list)
    """Figures that could not be compared, and why; one sentence each."""

    @property
    def regressed(self) -> bool:
        """Whether any figure became worse by more than noise, or a program fails now."""
        return bool(self.failures) or any(each.moved == "worse" for each in self.changes)

    def to_json(self) -> dict[str, Any]:
        """JSON values; docs/reference/json.md has the schema."""
        return {"schema": SCHEMA, "regressed": self.regressed, **asdict(self)}


def compare(old: Run, new: Run) -> Comparison:
    """Compares two runs."""
    found = Comparison(notes=list(_differences(old, new)))
    groups: list[list[_Pair]] = []
    before, after = ({each["name"]: each for each in run.result["results"]} for run in (old, new))
    for name in dict.fromkeys((*before, *after)):
        if name not in before or name not in after:
            which = "new" if name in after else "old"
            found.notes.append(f"{name} is only in the {which} result.")
        elif after[name]["status"] == "failed" and before[name]["status"] != "failed":
            found.failures += [
                f"{name}: {each['program']} {each['what']}." for each in after[name]["failures"]
            ]
        elif "not started" in (before[name]["status"], after[name]["status"]):
            found.notes.append(f"{name} was not started in both.")
        else:
            found.notes += _bars(name, before[name], after[name])
            groups += _groups(found.notes, name, (before[name], after[name]), (old, new))
    found.changes = _judged(groups)
    return found


def _differences(old: Run, new: Run) -> Iterator[str]:
    """Other differences, which division by the figures alone compensates mostly, not wholly."""
    for run, which in ((old, "old"), (new, "new")):
        if not run.result["complete"]:
            yield f"The {which} run was not finished."
    machines = [run.result["machine"] for run in (old, new)]
    for key in ("device", "cpu", "cores"):
        values = [machine.get(key) for machine in machines]
        if values[0] != values[1]:
            yield f"The machines differ: {key} {values[0]}, then {values[1]}."
    for key, value in old.result["versions"].items():
        other = new.result["versions"].get(key)
        if value != other:
            yield f"{key} was {value or 'missing'}, then {other or 'missing'}."


def _bars(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Notes about bars with another verdict. That is no change by itself: both figures may be close
    to the bar."""
    old = {words.bar(bar): bar["verdict"] for bar in before["bars"]}
    for bar in after["bars"]:
        text = words.bar(bar)
        if old.get(text, bar["verdict"]) != bar["verdict"]:
            yield f"{name}: {text} was {old[text]} and is {bar['verdict']}."


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """One figure of one program, round by round, in the old run and in the new."""

    what: tuple[str, str, str]
    rounds: tuple[list[float], list[float]]
    noise: float = NOISE


def _groups(
    notes: list[str],
    name: str,
    described: tuple[Mapping[str, Any], Mapping[str, Any]],
    runs: tuple[Run, Run],
) -> Iterator[list[_Pair]]:
    """The figures of a scenario: one list for each number of rounds that figures have."""
    measured = [
        result.rounds(each["programs"], run.records[name])
        for each, run in zip(described, runs, strict=True)
    ]
    pairs: list[_Pair] = []
    for program, before in described[0]["programs"].items():
        after = described[1]["programs"].get(program)
        if after is None or any(before[key] != after[key] for key in ("model", "size", "tokens")):
            notes.append(f"{name}: {program} differs between the runs and is not compared.")
            continue
        for which, each in zip(("old", "new"), measured, strict=True):
            if (why := each.why_not(MODE, program)) is not None:
                notes.append(f"{name}: {program} was not measured in the {which} result: {why}.")
        sides = [
            [part for part in each.counted(MODE, program) if part.alone is not None]
            for each in measured
        ]
        if min(map(len, sides)) < ROUNDS:
            notes.append(
                f"{name}: {program} needs {ROUNDS} rounds alone and with giveway in both results."
            )
        elif before["arrivals"] == "saturating":
            rates = [shares_of_alone(each) for each in sides]
            pairs.append(_Pair((name, program, "throughput"), (rates[0], rates[1])))
        else:
            for kind in ("", "ttft_", "tpot_"):
                pairs += _percentiles(notes, (name, program), sides, kind)
    sizes = {each: tuple(map(len, each.rounds)) for each in pairs}
    for size in dict.fromkeys(sizes.values()):
        if permutation.smallest_p(*size) > permutation.LEVEL:
            notes.append(
                f"{name}: {size[0]} and {size[1]} rounds are too few to tell a change from chance: "
                f"measure {permutation.rounds_needed()} or more in both."
            )
        yield [each for each in pairs if sizes[each] == size]


def _percentiles(
    notes: list[str], what: tuple[str, str], sides: Sides, kind: str = ""
) -> Iterator[_Pair]:
    """The percentiles of latencies or, with a kind, of times to the first token or per token."""
    key = f"{kind}us" if kind else "latencies_us"
    counts = [
        sum(len(requests.values(part, key)) for part in parts)
        for side in sides
        for parts in ([each.part for each in side], [each.alone or {} for each in side])
    ]
    if kind and not min(counts):
        return  # This program does not answer token by token.
    for name, percent in PERCENTS.items():
        old, new = (requests.ratios(each, key, percent) for each in sides)
        if min(counts) < ENOUGH[name] or [len(old), len(new)] != [len(each) for each in sides]:
            scenario, program = what
            notes.append(
                f"{scenario}: the {kind}{name} of {program} needs {ENOUGH[name]} requests, some in "
                "each round of both results."
            )
            continue
        noise = max(_noise_of_p99(each, key) for each in sides) if name == "p99" else NOISE
        yield _Pair((*what, f"{kind}{name}"), (old, new), max(NOISE, noise))


def _noise_of_p99(rounds: Sequence[Round], key: str) -> float:
    """The standard error of a p99 by that alone, by their requests."""
    sides = ([each.part for each in rounds], [each.alone or {} for each in rounds])
    times = ([value for part in parts for value in requests.values(part, key)] for parts in sides)
    errors = [stats.percentile_noise(each, 99) for each in times]
    return math.hypot(*errors)


def _judged(groups: Sequence[Sequence[_Pair]]) -> list[Change]:
    """The changes, with the probabilities of all figures that have enough rounds."""
    rounds = [_logarithms(each) for each in groups]
    told = [at for at, each in enumerate(rounds) if each is not None and each.enough()]
    found = permutation.p_values([each for each in rounds if each is not None and each.enough()])
    p_values = dict(zip(told, found, strict=True))
    return [
        _change(pair, float(p_values[at][number]) if at in p_values else None)
        for at, pairs in enumerate(groups)
        for number, pair in enumerate(pairs)
    ]


def _logarithms(pairs: Sequence[_Pair]) -> permutation.Rounds | None:
    if not pairs or not all(value > 0 for each in pairs for side in each.rounds for value in side):
        return None
    old, new = (np.log([each.rounds[side] for each in pairs]) for side in (0, 1))
    return permutation.Rounds(old, new)


def _change(pair: _Pair, p: float | None) -> Change:
    before, after = pair.rounds
    old, new = float(np.median(before)), float(np.median(after))
    if min(*before, *after) > 0:
        ratio = float(np.exp(np.mean(np.log(after)) - np.mean(np.log(before))))
        interval = stats.difference_interval(after, before)
    else:
        ratio, interval = (new / old if old else float("inf")), (0.0, float("inf"))
    more = pair.what[2] == "throughput"
    return Change(
        *pair.what, old, new, ratio, interval, pair.noise, p,
        moved(ratio, p, pair.noise, more_is_better=more),
    )  # fmt: skip


def moved(ratio: float, p: float | None, noise: float, *, more_is_better: bool) -> Moved:
    """Whether a figure moved: chance is an unlikely cause, and the change exceeds the noise."""
    if p is None:
        return "unknown"
    if p > permutation.LEVEL or max(ratio, 1 / ratio if ratio else float("inf")) <= 1 + noise:
        return "no"
    return "better" if (ratio > 1) == more_is_better else "worse"
