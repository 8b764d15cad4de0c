"""What users write about tasks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.errors import UsageError
from giveway.sched.attributes import KINDS, change, parse_duration, show, show_duration
from giveway.sched.task import Attributes


def test_all_attributes_have_a_spelling() -> None:
    assert {kind.field for kind in KINDS.values()} == set(Attributes.__dataclass_fields__)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["deadline=20ms", "share=30"], Attributes(deadline_ns=20_000_000, share=30.0)),
        (["share=12.5%", "weight=0.5"], Attributes(share=12.5, weight=0.5)),
        (["priority=-1000", "nice=19"], Attributes(priority=-1000, nice=19)),
        (["laxity=0ms", "slice=1.5ms"], Attributes(laxity_ns=0, slice_ns=1_500_000)),
        (["group=a,b=c", "focused=yes"], Attributes(group="a,b=c", focused=True)),
        (["share=5", "share=none"], Attributes()),
    ],
)
def test_settings(settings: list[str], expected: Attributes) -> None:
    assert change(Attributes(), settings) == expected


def test_a_change_leaves_the_rest() -> None:
    before = Attributes(priority=3, share=20.0)
    assert change(before, ["share=30"]) == Attributes(priority=3, share=30.0)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("dedline=20ms", ("'dedline'", "did you mean 'deadline'?")),
        ("colour=red", ("'colour'", "there are deadline, focused, group")),
        ("deadline=20", ("no unit", "ms")),
        ("deadline=20msec", ("unknown unit 'msec'", "did you mean 'ms'?")),
        ("deadline=soon", ("'soon' is not a time", "20ms")),
        ("deadline=-5ms", ("not a time",)),
        ("deadline=0ms", ("deadline cannot be '0ms'", "a time such as 20ms")),
        ("deadline", ("no value", "deadline=VALUE")),
        ("share=101", ("share cannot be '101'", "up to 100")),
        ("share=0", ("share cannot be",)),
        ("share=nan", ("share cannot be",)),
        ("weight=inf", ("weight cannot be",)),
        ("priority=1e3", ("priority cannot be", "-1000 to 1000")),
        ("priority=1001", ("priority cannot be",)),
        ("nice=20", ("-20 to 19",)),
        ("focused=maybe", ("yes or no",)),
        (f"group={'x' * 65}", ("64 characters",)),
        ("group=a\nb", ("64 characters",)),
        ("group=a b", ("without spaces",)),
    ],
)
def test_what_cannot_be_is_said_in_one_line(setting: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        change(Attributes(), [setting])
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "\n" not in text


@given(st.integers(0, 10**13))
def test_a_duration_is_read_as_it_was_shown(nanoseconds: int) -> None:
    assert parse_duration(show_duration(nanoseconds)) == nanoseconds


@given(
    st.builds(
        Attributes,
        priority=st.integers(-1000, 1000),
        share=st.none() | st.integers(1, 100).map(float),
        deadline_ns=st.none() | st.integers(1, 10**12),
        nice=st.integers(-20, 19),
        group=st.text("abc-", max_size=9),
        focused=st.booleans(),
    )
)
def test_attributes_are_read_as_they_were_shown(attributes: Attributes) -> None:
    settings = [f"{name}={text}" for name, text in show(attributes).items()]
    assert change(Attributes(), settings) == attributes
