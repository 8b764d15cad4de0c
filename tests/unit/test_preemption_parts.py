"""Figures of `benchmarks/preemption.py` from the kernel times of two programs."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "preemption.py"
split = runpy.run_path(str(SCRIPT))["split"]


def test_each_part_of_a_preemption() -> None:
    low = np.array([[0, 100], [110, 210], [220, 320], [500, 600], [610, 710]])
    #                 called, returned, began, ended, seen
    urgent = np.array([[230, 240, 400, 420, 430]])
    parts = split(urgent, low)
    assert {name: int(each[0]) for name, each in parts.items() if name != "mid"} == {
        "total": 200,
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


def test_what_has_no_neighbours_is_left_out() -> None:
    low = np.array([[100, 200], [300, 400]])
    urgent = np.array([[50, 51, 60, 70, 80], [210, 211, 220, 230, 240], [350, 351, 410, 420, 430]])
    assert len(split(urgent, low)["total"]) == 1
