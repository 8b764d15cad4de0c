"""The report of `verify` on an import of torch that fails or never ends."""

from __future__ import annotations

import pytest

from giveway.verify import startup


@pytest.mark.parametrize(
    ("program", "limit", "problem"),
    [
        (
            "raise ImportError",
            60.0,  # to start Python takes a while on a busy machine
            "import torch ended before it was done, in pair 1 of timed runs",
        ),
        (
            "import time; time.sleep(1000)",
            0.5,
            "import torch hung: not done after 0.5 s, in pair 1 of timed runs",
        ),
    ],
)
def test_an_import_that_is_never_done_is_no_fast_one(
    monkeypatch: pytest.MonkeyPatch, program: str, limit: float, problem: str
) -> None:
    monkeypatch.setattr(startup, "_PROGRAM", program)
    monkeypatch.setattr(startup, "_LIMIT_SECONDS", limit)
    assert startup.added({}, {}).problem == problem
