"""The delay of importing torch: the measurement equals that of a quiet machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from giveway.verify import startup


def measured(monkeypatch: pytest.MonkeyPatch, *added_ms: float) -> Iterator[float]:
    """Imports that take a second, and under giveway so much longer, one after the other."""
    times = iter([1 + each / 1e3 for ms in added_ms for each in (0.0, ms)])
    monkeypatch.setattr(startup, "_import_seconds", lambda _: next(times))
    return times


def test_three_within_the_bound_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    left = measured(monkeypatch, 3, -2, 4, 1000)
    finding = startup.added({}, {})
    assert finding.problem is None
    assert finding.facts == {"import_ms": 1000, "added_ms": 3, "most_ms": 50, "pairs": 3}
    assert len(list(left)) == 2


def test_a_busy_moment_is_outvoted(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 400, 300, 3, 2, 1)
    finding = startup.added({}, {})
    assert (finding.problem, finding.facts["pairs"]) == (None, 5)


def test_what_is_slower_every_time_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 3, *[60] * 14)
    finding = startup.added({}, {})
    assert finding.problem == "import torch takes 60 ms longer (at most 50)"
    assert finding.facts["pairs"] == 15
