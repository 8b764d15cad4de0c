"""Messages of Ray, cut to one sentence."""

from __future__ import annotations

import pytest

from giveway.ray.connect import first_sentence


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("No. Set RAY_SOMETHING.", "No"),
        ("\nfirst line\nsecond line", "first line"),
        (
            "status code 500: Traceback (most recent call last):\n  x\nOSError: gone",
            "OSError: gone",
        ),
        ("", "Ray gives no reason"),
        (None, "Ray gives no reason"),
    ],
)
def test_one_sentence_is_left(said: str | None, left: str) -> None:
    assert first_sentence(said) == left
