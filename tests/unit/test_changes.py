"""What counts as moved between two results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from giveway.report.compare import Comparison, compare, moved
from giveway.report.load import run
from tests.unit import report_examples
from tests.unit.report_examples import Records, failed, noisy, renamed


def compared(tmp_path: Path, old: Any, new: Any, **changed: Any) -> Comparison:
    """Of two runs of one scenario; None for one that was not started."""
    first = report_examples.run(tmp_path / "old", {"dual": old})
    second = report_examples.run(tmp_path / "new", {"dual": new}, **changed)
    return compare(run(first), run(second))


def by_figure(found: Comparison) -> dict[str, str]:
    return {f"{each.program} {each.figure}": each.moved for each in found.changes}


STILL = {"high p50": "no", "high p90": "no", "high p99": "no", "low throughput": "no"}


@pytest.mark.parametrize("seed", range(4))
def test_two_runs_of_the_same_have_not_moved(tmp_path: Path, seed: int) -> None:
    found = compared(tmp_path, noisy(seed), noisy(100 + seed))
    assert by_figure(found) == STILL
    assert not found.regressed
    assert not found.notes


def test_slower_requests_are_a_regression(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(1), noisy(2, slower=1.5))
    assert by_figure(found) == STILL | {
        "high p50": "worse", "high p90": "worse", "high p99": "worse",
    }  # fmt: skip
    assert found.regressed
    p50 = found.changes[0]
    assert p50.old == pytest.approx(1.1, rel=0.05)
    assert p50.new == pytest.approx(1.65, rel=0.05)
    assert p50.ratio == pytest.approx(p50.new / p50.old, rel=0.02)
    assert p50.interval[0] < 1.5 < p50.interval[1]
    assert p50.p is not None
    assert p50.p < 0.05
    # That 1.1 x alone became 1.65 breaks the bar of 1.3.
    assert found.notes == ["dual: p99 of high ≤ 1.3 × alone was PASS and is FAIL."]


def test_tokens_that_come_later_are_a_regression(tmp_path: Path) -> None:
    def with_tokens(seed: int, slower: float) -> Records:
        """Times to the first token are a third of latencies, and times per token a hundredth."""
        records = noisy(seed)
        for each in records:
            if "high" in each.get("programs", {}):
                part = each["programs"]["high"]
                factor = slower if each["mode"] == "giveway" else 1.0
                part["ttft_us"] = [latency / 3 for latency in part["latencies_us"]]
                part["tpot_us"] = [factor * latency / 100 for latency in part["latencies_us"]]
                part["tpot_us"][0] = None
        return records

    found = compared(tmp_path, with_tokens(1, 1.0), with_tokens(2, 1.5))
    assert by_figure(found) == STILL | {
        "high ttft_p50": "no", "high ttft_p90": "no", "high ttft_p99": "no",
        "high tpot_p50": "worse", "high tpot_p90": "worse", "high tpot_p99": "worse",
    }  # fmt: skip


def test_faster_requests_are_better_and_no_regression(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(1, slower=1.5), noisy(2))
    assert by_figure(found)["high p50"] == "better"
    assert not found.regressed


def test_of_throughput_more_is_better(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(1), noisy(2, low=9))
    assert by_figure(found) == STILL | {"low throughput": "worse"}
    assert found.regressed


def test_a_slower_machine_has_not_moved(tmp_path: Path) -> None:
    assert by_figure(compared(tmp_path, noisy(1), noisy(2, machine=1.4))) == STILL


def test_where_rounds_differ_small_changes_mean_nothing(tmp_path: Path) -> None:
    unsteady: Records = noisy(2, slower=1.15)
    for each in unsteady:
        if each["kind"] == "segment" and each["mode"] == "giveway" and each["round"] % 2:
            for program in each["programs"].values():
                program["latencies_us"] = [0.8 * value for value in program["latencies_us"]]
    found = compared(tmp_path, noisy(1), unsteady)
    assert found.changes[0].p is not None
    assert found.changes[0].p > 0.05
    assert by_figure(found)["high p50"] == "no"


@pytest.mark.parametrize(
    ("ratio", "p", "noise", "expected"),
    [
        (1.2, 0.01, 0.05, "worse"),
        (0.8, 0.01, 0.05, "better"),
        (1.2, 0.06, 0.05, "no"),
        (1.04, 0.01, 0.05, "no"),
        (1.2, 0.01, 0.25, "no"),
        (0.96, 0.01, 0.05, "no"),
        (1.9, None, 0.05, "unknown"),
        (0.0, 0.01, 0.05, "better"),
    ],
)
def test_moved(ratio: float, p: float | None, noise: float, expected: str) -> None:
    assert moved(ratio, p, noise, more_is_better=False) == expected
    turned = {"worse": "better", "better": "worse"}.get(expected, expected)
    assert moved(ratio, p, noise, more_is_better=True) == turned


def test_three_rounds_are_too_few_and_said_so(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(1, rounds=3), noisy(2, slower=3, rounds=3))
    assert set(by_figure(found).values()) == {"unknown"}
    assert not found.regressed
    assert (
        "dual: 3 and 3 rounds are too few to tell a change from chance: measure 4 or more in both."
    ) in found.notes


def test_a_result_that_was_disturbed_is_not_compared(tmp_path: Path) -> None:
    disturbed = noisy(2)
    for each in disturbed:
        if each["kind"] == "segment" and each["mode"] == "alone":
            for program in each["programs"].values():
                program["busy_seconds"] = 5.0
    found = compared(tmp_path, noisy(1), disturbed)
    assert "high p50" not in by_figure(found)
    assert any("high was not measured in the new result: 5 of 5" in note for note in found.notes)


def test_a_program_that_fails_now_is_a_regression(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(1), renamed(failed(), "dual"))
    assert found.regressed
    assert found.failures == ["dual: high ended with exit code 1."]
    # The other way round it is none.
    assert not compared(tmp_path / "back", renamed(failed(), "dual"), noisy(1)).regressed


def test_too_few_requests_are_not_compared_and_said_so(tmp_path: Path) -> None:
    few = noisy(1)
    for each in few:
        for program in each.get("programs", {}).values():
            program["latencies_us"] = program["latencies_us"][:15]
    found = compared(tmp_path, few, noisy(2))
    assert "high p99" not in by_figure(found)
    assert by_figure(found)["high p90"] == "no"
    assert any("the p99 of high needs 100 requests" in note for note in found.notes)


def test_one_round_says_nothing_about_noise(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(1, rounds=1), noisy(2))
    assert found.changes == []
    assert "dual: high needs 2 rounds alone and with giveway in both results." in found.notes


def test_another_size_is_another_program(tmp_path: Path) -> None:
    larger = noisy(2)
    larger[1]["size"] = {"batch": 1, "image": 224}
    found = compared(tmp_path, noisy(1), larger)
    assert by_figure(found) == {"low throughput": "no"}
    assert any("high differs between the runs" in note for note in found.notes)


def test_what_else_differs_is_noted(tmp_path: Path) -> None:
    versions = {"python": "3.11.7", "giveway": "9.9"}
    found = compared(tmp_path, noisy(1), noisy(2), versions=versions)
    assert any(note.startswith("giveway was ") and "then 9.9" in note for note in found.notes)


def test_scenarios_of_one_result_only_are_noted(tmp_path: Path) -> None:
    first = report_examples.run(tmp_path / "old", {"dual": noisy(1), "gone": noisy(1)})
    second = report_examples.run(tmp_path / "new", {"dual": noisy(2), "later": None})
    found = compare(run(first), run(second))
    assert "gone is only in the old result." in found.notes
    assert "later is only in the new result." in found.notes
    assert "The new run was not finished." in found.notes
    assert by_figure(found) == STILL


def test_the_json_has_everything(tmp_path: Path) -> None:
    value = json.loads(json.dumps(compared(tmp_path, noisy(1), noisy(2)).to_json()))
    assert value["schema"] == 2
    assert value["regressed"] is False
    assert {
        "scenario",
        "program",
        "figure",
        "old",
        "new",
        "ratio",
        "interval",
        "noise",
        "p",
        "moved",
    } == (set(value["changes"][0]))
