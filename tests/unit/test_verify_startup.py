"""How much later torch is imported: what is measured is what a quiet machine would say."""

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


@pytest.mark.parametrize(
    ("program", "limit", "problem"),
    [
        (
            "raise ImportError",
            60.0,  # to start Python takes a while on a busy machine
            "import torch ended before it was done, in pair 1 of those timed",
        ),
        (
            "import time; time.sleep(1000)",
            0.5,
            "import torch hung: not done after 0.5 s, in pair 1 of those timed",
        ),
    ],
)
def test_an_import_that_is_never_done_is_no_fast_one(
    monkeypatch: pytest.MonkeyPatch, program: str, limit: float, problem: str
) -> None:
    monkeypatch.setattr(startup, "_PROGRAM", program)
    monkeypatch.setattr(startup, "_LIMIT_SECONDS", limit)
    assert startup.added({}, {}).problem == problem
