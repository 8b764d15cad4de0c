"""Figures of `benchmarks/preemption.py` from the kernel times of two programs."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "preemption.py"
script = runpy.run_path(str(SCRIPT))
split, after_closing, ratios = script["split"], script["after_closing"], script["ratios"]


def test_each_part_of_a_preemption() -> None:
    low = np.array([[0, 100], [110, 210], [220, 320], [500, 600], [610, 710]])
    #                 called, returned, began, ended, seen
    urgent = np.array([[230, 240, 400, 420, 430]])
    parts = split(urgent, low)
    assert {name: int(each[0]) for name, each in parts.items() if name != "mid"} == {
        "total": 200,
        "ran": 320 - 230,
        "kernels": 1,
        "call": 10,
        "residue": 320 - 230,  # the kernel that ran when it was called
        "switch": 400 - 320,
        "done": 10,
        "wake": 500 - 420,
    }
    assert parts["mid"] == 0


def test_a_device_that_was_free_has_no_residue() -> None:
    low = np.array([[0, 100], [500, 600]])
    parts = split(np.array([[230, 240, 250, 260, 270]]), low)
    assert int(parts["residue"][0]) == 0
    assert int(parts["switch"][0]) == 20


def test_a_kernel_that_was_stopped_in_the_middle_is_told_apart() -> None:
    low = np.array([[0, 100], [110, 900], [910, 1000]])
    parts = split(np.array([[230, 240, 400, 420, 430]]), low)
    assert parts["mid"] == 1
    assert len(parts["residue"]) == 0


def test_only_what_ran_during_the_request_counts() -> None:
    low = np.array([[0, 100], [150, 250], [300, 340], [500, 600]])
    found = after_closing(np.array([[200, 0, 0, 0, 400], [350, 0, 0, 0, 400]]), low)
    assert found["ran"].tolist() == [50 + 40, 0]
    assert found["kernels"].tolist() == [2, 0]


def test_kernels_that_overlap_run_for_the_time_of_their_union() -> None:
    low = np.array([[100, 300], [120, 200], [290, 350], [360, 380], [500, 600]])
    found = after_closing(np.array([[150, 0, 0, 0, 370]]), low)
    assert found["ran"].tolist() == [(350 - 150) + (370 - 360)]
    assert found["kernels"].tolist() == [4]


def test_a_long_kernel_on_another_stream_counts_as_the_last_to_end() -> None:
    low = np.array([[0, 390], [10, 50], [500, 600]])
    parts = split(np.array([[230, 240, 400, 420, 430]]), low)
    assert int(parts["residue"][0]) == 390 - 230


def test_in_a_request_of_several_kernels_the_others_wait_until_the_last_one() -> None:
    low = np.array([[0, 100], [430, 450], [500, 600]])
    parts = split(np.array([[110, 120, 130, 460, 470]]), low)
    assert int(parts["wake"][0]) == 500 - 460
    assert int(parts["ran"][0]) == 20


def of_mode(p50: float, per_second: float | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"total": {"p50": p50, "p90": 2 * p50}}
    return found if per_second is None else found | {"low_kernels_per_s": per_second}


def test_ratios_are_within_a_round() -> None:
    rounds = [
        {"a": {"alone": of_mode(x), "native": of_mode(8 * x, 100), "giveway": of_mode(y, z)}}
        for x, y, z in ((10, 11, 90), (20, 30, 80), (40, 40, 100))
    ]
    assert ratios(rounds) == {
        "a": {
            "native": {"total p50": [8, 8, 8], "total p90": [8, 8, 8]},
            "giveway": {
                "total p50": [1, 1.1, 1.5],
                "total p90": [1, 1.1, 1.5],
                "kernels per s": [0.8, 0.9, 1],
            },
        }
    }


def test_what_a_driver_cannot_do_has_no_ratio() -> None:
    cannot = {"reason": "this driver cannot do it"}
    assert ratios([{"a": {"alone": of_mode(1), "native": cannot, "giveway": cannot}}]) == {}


def test_the_first_request_is_told_apart() -> None:
    low = np.array([[0, 3000], [4000, 5000], [90_000, 91_000]])
    found = script["first"](np.array([[1000, 1100, 5500, 5600, 6000], [7000] * 5]), low)
    assert found == {"total": 5.0, "ran": 3.0, "kernels": 2.0}


def test_what_has_no_neighbours_is_left_out() -> None:
    low = np.array([[100, 200], [300, 400]])
    urgent = np.array([[50, 51, 60, 70, 80], [210, 211, 220, 230, 240], [350, 351, 410, 420, 430]])
    assert len(split(urgent, low)["total"]) == 1
