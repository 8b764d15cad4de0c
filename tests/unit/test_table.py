"""Tables: aligned, never wider than they may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.cli.parts import table
from giveway.cli.parts.table import Column, render
from giveway.cli.parts.tasks import FIELDS

COLUMNS = [field.column for field in FIELDS]
ROWS = [["1", "train.py", "held"], ["4242", "a-program-with-a-long-name", "active"]]
THREE = (Column("PID", right=True, keep=9), Column("NAME", keep=8, least=8), Column("STATE"))


def test_columns_are_aligned() -> None:
    assert render(THREE, ROWS) == [
        " PID  NAME                        STATE",
        "   1  train.py                    held",
        "4242  a-program-with-a-long-name  active",
    ]


def test_a_name_is_shortened_before_a_column_goes() -> None:
    assert render(THREE, ROWS, width=26)[2] == "4242  a-program-w…  active"


def test_the_least_important_column_goes_first() -> None:
    assert render(THREE, ROWS, width=16) == [" PID  NAME", "   1  train.py", "4242  a-program…"]


def test_all_columns_may_be_wanted() -> None:
    assert render(THREE, ROWS, width=19, all_columns=True) == [
        " PID  NAME      ST…",
        "   1  train.py  he…",
        "4242  a-progr…  ac…",
    ]


def test_wide_characters_take_two_cells() -> None:
    lines = render(THREE, [["1", "訓練", "held"], ["2", "abcd", "held"]])
    assert lines[1].index("held") + 2 == lines[2].index("held")


@given(
    rows=st.lists(
        st.lists(st.text(max_size=30), min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=5
    ),
    width=st.integers(min_value=1, max_value=200),
)
def test_no_line_is_wider_than_the_terminal(rows: list[list[str]], width: int) -> None:
    for line in render(COLUMNS, rows, width):
        assert table._cells(line) <= width


@pytest.mark.parametrize("width", [1, 3])
def test_a_terminal_too_narrow_for_anything_is_survived(width: int) -> None:
    assert len(render(COLUMNS, [], width)) == 1
