"""Compares two results: which figures changed by more than noise.

Each figure is divided by the figure of the same program alone in the same result. So a machine that
became slower as a whole changes nothing, and what remains is the effect of the programs on each
other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any, Final, Literal

from giveway.report import words
from giveway.report.load import Run
from giveway.results import stats
from giveway.results.figures import by_round

SCHEMA: Final = 1
MODE: Final = "giveway"
NOISE: Final = 0.05
"""A smaller change never counts as one."""
PERCENTS: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0}
ENOUGH: Final = {"p50": 20, "p90": 50, "p99": 100}
"""The fewest requests, in all rounds, for which each percentile is compared. With fewer requests,
the percentile is one of the largest latencies."""
ROUNDS: Final = 2
"""The fewest rounds from which noise can be estimated."""
_OLD_SEED: Final = 20
_NEW_SEED: Final = 21

Moved = Literal["better", "worse", "no"]
Rounds = Sequence[Mapping[str, Any]]
Latencies = Sequence[Sequence[float]]
"""Latencies by round."""


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one figure of one program under giveway between two runs."""

    scenario: str
    program: str
    figure: str
    """A key of ``PERCENTS``, or ``throughput``; all values are relative to the program alone."""
    old: float
    new: float
    ratio: float
    """``new`` over ``old``."""
    interval: tuple[float, float]
    """The interval of ``ratio``; the intervals of all changes hold together with 95 %."""
    noise: float
    """The largest relative change that counts as noise (0.05 is 5 %): the spread of the rounds
    alone in either run, but at least ``NOISE``."""
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
    pairs: list[_Pair] = []
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
            pairs += _scenario(found.notes, name, (before[name], after[name]), (old, new))
    found.changes = [_change(each, len(pairs)) for each in pairs]
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


@dataclass(frozen=True, slots=True)
class _Pair:
    """One figure of one program, as measured in the old run and in the new."""

    what: tuple[str, str, str]
    values: tuple[float, float]
    draws: tuple[stats.Floats, stats.Floats]
    spread: float


def _scenario(
    notes: list[str],
    name: str,
    described: tuple[Mapping[str, Any], Mapping[str, Any]],
    runs: tuple[Run, Run],
) -> Iterator[_Pair]:
    segments = [[each for each in run.records[name] if each["kind"] == "segment"] for run in runs]
    for program, before in described[0]["programs"].items():
        after = described[1]["programs"].get(program)
        if after is None or (before["model"], before["size"]) != (after["model"], after["size"]):
            notes.append(f"{name}: {program} differs between the runs and is not compared.")
            continue
        sides = [
            (by_round(each, MODE, program), by_round(each, "alone", program)) for each in segments
        ]
        fewest = min(len(each) for side in sides for each in side)
        if fewest < ROUNDS:
            notes.append(
                f"{name}: {program} needs {ROUNDS} rounds alone and with giveway in both results."
            )
        elif before["arrivals"] == "saturating":
            yield _throughput((name, program, "throughput"), sides)
        else:
            yield from _percentiles(notes, (name, program), sides)


def _percentiles(
    notes: list[str], what: tuple[str, str], sides: Sequence[tuple[Rounds, Rounds]]
) -> Iterator[_Pair]:
    latencies = [(_latencies(rounds), _latencies(alone)) for rounds, alone in sides]
    fewest = min(sum(map(len, each)) for side in latencies for each in side)
    if not all(all(each) for side in latencies for each in side):
        fewest = 0
    percents = {name: each for name, each in PERCENTS.items() if fewest >= ENOUGH[name]}
    for name in (each for each in PERCENTS if each not in percents):
        scenario, program = what
        notes.append(
            f"{scenario}: the {name} of {program} needs {ENOUGH[name]} requests, some in each "
            "round of both results."
        )
    draws = [
        stats.ratio_draws(*side, list(percents.values()), seed)
        for side, seed in zip(latencies, (_OLD_SEED, _NEW_SEED), strict=True)
        if percents
    ]
    for row, (name, percent) in enumerate(percents.items()):
        old, new = (
            stats.percentile(_together(rounds), percent)
            / stats.percentile(_together(alone), percent)
            for rounds, alone in latencies
        )
        spreads = (
            stats.relative_spread([stats.percentile(each, percent) for each in alone])
            for _, alone in latencies
        )
        yield _Pair((*what, name), (old, new), (draws[0][row], draws[1][row]), max(spreads))


def _throughput(what: tuple[str, str, str], sides: Sequence[tuple[Rounds, Rounds]]) -> _Pair:
    rates = [(_rates(rounds), _rates(alone)) for rounds, alone in sides]
    old, new = (fmean(values) / fmean(alone) for values, alone in rates)
    before, after = rates
    return _Pair(
        what,
        (old, new),
        (stats.mean_ratio_draws(*before, _OLD_SEED), stats.mean_ratio_draws(*after, _NEW_SEED)),
        max(stats.relative_spread(alone) for _, alone in rates),
    )


def _change(pair: _Pair, among: int) -> Change:
    old, new = pair.values
    interval = stats.change_interval(pair.draws[1], pair.draws[0], among)
    noise = max(NOISE, pair.spread)
    return Change(
        *pair.what, old, new, new / old, interval, noise,
        moved(new / old, interval, noise, more_is_better=pair.what[2] == "throughput"),
    )  # fmt: skip


def moved(
    ratio: float, interval: tuple[float, float], noise: float, *, more_is_better: bool
) -> Moved:
    """Whether a figure moved: the interval excludes 1, and the change exceeds the noise."""
    if interval[0] <= 1 <= interval[1] or max(ratio, 1 / ratio) <= 1 + noise:
        return "no"
    return "better" if (ratio > 1) == more_is_better else "worse"


def _together(rounds: Latencies) -> list[float]:
    return [value for each in rounds for value in each]


def _rates(rounds: Rounds) -> list[float]:
    return [part["done"] / part["seconds"] for part in rounds]


def _latencies(rounds: Rounds) -> list[list[float]]:
    return [each["latencies_us"] for each in rounds]
