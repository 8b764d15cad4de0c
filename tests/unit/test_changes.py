"""What counts as moved between two results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from giveway.report.compare import Comparison, compare, moved
from giveway.report.load import run
from giveway.results import stats
from tests.unit import report_examples
from tests.unit.report_examples import Records, failed, noisy, renamed


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few resamples suffice for differences as clear as here."""
    monkeypatch.setattr(stats, "RESAMPLES", 250)


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
    assert p50.ratio == pytest.approx(p50.new / p50.old)
    assert p50.interval[0] < 1.5 < p50.interval[1]
    # That 1.1 x alone became 1.65 breaks the bar of 1.3.
    assert found.notes == ["dual: p99 of high ≤ 1.3 × alone was PASS and is FAIL."]


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


def test_where_alone_itself_differs_small_changes_mean_nothing(tmp_path: Path) -> None:
    unsteady: Records = noisy(2, slower=1.25)
    for each in unsteady:
        if each["kind"] == "segment" and each["mode"] == "alone" and each["round"] == 1:
            for program in each["programs"].values():
                program["latencies_us"] = [1.5 * value for value in program["latencies_us"]]
    found = compared(tmp_path, noisy(1), unsteady)
    assert found.changes[0].noise == pytest.approx(0.5, abs=0.1)
    assert by_figure(found)["high p50"] == "no"


@pytest.mark.parametrize(
    ("ratio", "interval", "noise", "expected"),
    [
        (1.2, (1.1, 1.3), 0.05, "worse"),
        (0.8, (0.7, 0.9), 0.05, "better"),
        (1.2, (0.99, 1.3), 0.05, "no"),
        (1.04, (1.03, 1.05), 0.05, "no"),
        (1.2, (1.1, 1.3), 0.25, "no"),
        (0.96, (0.95, 0.97), 0.05, "no"),
        (0.8, (0.75, 0.85), float("inf"), "no"),
    ],
)
def test_moved(ratio: float, interval: tuple[float, float], noise: float, expected: str) -> None:
    assert moved(ratio, interval, noise, more_is_better=False) == expected
    turned = {"worse": "better", "better": "worse", "no": "no"}[expected]
    assert moved(ratio, interval, noise, more_is_better=True) == turned


def test_the_more_figures_the_wider_their_intervals() -> None:
    old = stats.mean_ratio_draws([10, 11, 12], [10, 10, 11], seed=1)
    new = stats.mean_ratio_draws([13, 11, 12], [10, 10, 11], seed=2)
    one, many = (stats.change_interval(new, old, among) for among in (1, 30))
    assert many[0] < one[0] < one[1] < many[1]


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
            program["latencies_us"] = program["latencies_us"][:20]
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
    assert value["schema"] == 1
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
        "moved",
    } == (set(value["changes"][0]))
