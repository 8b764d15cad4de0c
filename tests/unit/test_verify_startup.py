"""The delay of importing torch: a busy machine does not pass what it has not shown."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable

import pytest

from giveway.verify import startup

PLAIN = {"NAME": "plain"}


def measured(monkeypatch: pytest.MonkeyPatch, added_ms: Iterable[float]) -> None:
    """Imports that take a second, and under giveway so much longer, pair after pair."""
    pairs = iter(added_ms)
    current: list[float] = []

    def seconds(environment: dict[str, str]) -> float:
        if not current:
            current.extend([next(pairs)] * 2)
        added = current.pop()
        return 1.0 if environment is PLAIN else 1 + added / 1e3

    monkeypatch.setattr(startup, "_import_seconds", seconds)


def test_a_quiet_machine_needs_eight_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, [3, -2, 4, 10, 5, 1, 0, 2])
    finding = startup.added(PLAIN, {})
    assert finding.problem is None
    assert finding.facts == {
        "import_ms": 1000, "added_ms": 2.5, "interval_ms": [-2, 10], "most_ms": 50, "pairs": 8,
    }  # fmt: skip


def test_a_busy_moment_is_outvoted(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, [400, *[3] * 30])
    finding = startup.added(PLAIN, {})
    assert (finding.problem, finding.facts["pairs"]) == (None, 12)


def test_what_is_slower_every_time_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, [60] * 30)
    finding = startup.added(PLAIN, {})
    assert finding.problem == "import torch takes 60 ms longer (at most 50)"
    assert finding.facts["pairs"] == 8


def test_what_cannot_be_shown_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, itertools.cycle([-100, 130]))
    finding = startup.added(PLAIN, {})
    assert finding.problem == (
        "import torch takes 15 ms longer (at most 50): not shown, -100 to 130 ms in 24 pairs; "
        "try a quiet machine"
    )


@pytest.mark.parametrize(("added", "most"), [(80, 0.05), (55, 0.05), (5, 1.0)])
def test_a_real_delay_passes_as_rarely_as_it_says(
    monkeypatch: pytest.MonkeyPatch, added: float, most: float
) -> None:
    """A check that stopped as soon as it would pass let 80 ms pass in 44 % of all runs."""
    draw = random.Random(5)
    runs = passed = 0
    for _ in range(300):
        measured(monkeypatch, (draw.gauss(added, 60) for _ in range(99)))
        passed += startup.added(PLAIN, {}).problem is None
        runs += 1
    assert passed / runs <= most
    assert added > 50 or passed / runs > 0.5


def test_the_interval_of_a_median_is_by_ranks() -> None:
    values = [float(value) for value in range(1, 13)]
    # 12 coins show at most one head, or at most one tail, with 26/4096.
    assert startup.median_interval(values) == (2, 11)
    assert startup.median_interval(values[:8]) == (1, 8)
    assert startup.median_interval(values[:7]) == (-math.inf, math.inf)
