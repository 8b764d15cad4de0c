"""The attribute slowdown, as users write it."""

from __future__ import annotations

import pytest

from giveway.errors import UsageError
from giveway.sched import attributes
from giveway.sched.task import Attributes


@pytest.mark.parametrize(
    ("text", "percent"), [("10%", 10), ("0%", 0), ("100", 100), ("2.5%", 2.5), ("0.00001", 0)]
)
def test_a_slowdown_is_a_percentage(text: str, percent: float) -> None:
    found = attributes.change(Attributes(), [f"slowdown={text}"])
    assert found.slowdown == percent


@pytest.mark.parametrize("text", ["-5%", "200x", "much", "101%", "nan", "inf", "%", ""])
def test_anything_else_is_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        attributes.change(Attributes(), [f"slowdown={text}"])
    assert "from 0 to 100" in str(caught.value)
    assert "\n" not in str(caught.value)
