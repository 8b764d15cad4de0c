"""Plain tables: aligned, and cut to the width of a terminal."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from giveway.text import printable

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """The form of one column."""

    title: str
    right: bool = False
    """Align to the right, as numbers are."""
    keep: int = 0
    """Importance: where not all columns fit, the one with the lowest is left out first."""
    least: int | None = None
    """The column may be cut to this many cells, before any column is left out; None: not at all.
    """


def terminal_width() -> int | None:
    """The columns that a table may take; None where stdout is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def render(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    *,
    all_columns: bool = False,
) -> list[str]:
    """The lines of a table, its header first.

    Args:
        width: cells that no line may exceed; None: no limit.
        all_columns: cut lines where a column would be left out.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [
        max([_cells(column.title), *(_cells(row[at]) for row in rows)])
        for at, column in enumerate(columns)
    ]
    shown = list(range(len(columns)))
    if width is not None:
        shown, widths = _fit(columns, widths, width, all_columns)
    lines = []
    for row in [[column.title for column in columns], *rows]:
        cells = (_pad(row[at], widths[at], columns[at].right) for at in shown)
        line = _GAP.join(cells).rstrip()
        lines.append(line if width is None else _cut(line, width))
    return lines


def _fit(
    columns: Sequence[Column], full: Sequence[int], width: int, all_columns: bool
) -> tuple[list[int], list[int]]:
    """The columns to show, and the width of each column."""
    widths = [
        cells if column.least is None else min(cells, column.least)
        for column, cells in zip(columns, full, strict=True)
    ]
    shown = list(range(len(columns)))

    def room() -> int:
        return width - sum(widths[at] for at in shown) - len(_GAP) * (len(shown) - 1)

    while room() < 0 and len(shown) > 1 and not all_columns:
        shown.remove(min(shown, key=lambda at: columns[at].keep))
    for at in sorted(shown, key=lambda at: columns[at].keep, reverse=True):
        widths[at] += max(min(full[at] - widths[at], room()), 0)
    return shown, widths


def _cells(text: str) -> int:
    """The number of terminal cells that ``text`` takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _cut(text: str, width: int) -> str:
    if _cells(text) <= width:
        return text
    kept = ""
    for char in text:
        if _cells(kept + char) > width - 1:
            break
        kept += char
    return kept + "…" if width > 0 else ""


def _pad(text: str, width: int, right: bool) -> str:
    text = _cut(text, width)
    fill = " " * (width - _cells(text))
    return fill + text if right else text + fill
