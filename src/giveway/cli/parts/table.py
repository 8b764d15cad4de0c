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
    """Importance: of columns that do not fit, the one with the lowest is left out first."""
    least: int | None = None
    """The column may be cut to this many cells; None: not at all."""


def terminal_width() -> int | None:
    """The columns that a table may take; None where stdout is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def render(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None
) -> list[str]:
    """The lines of a table, its header first; none is wider than ``width`` cells if given."""
    rows = [[printable(cell) for cell in row] for row in rows]
    shown = list(range(len(columns)))
    widths = [
        max([_cells(column.title), *(_cells(row[at]) for row in rows)])
        for at, column in enumerate(columns)
    ]
    if width is not None:
        _fit(columns, shown, widths, width)
    lines = []
    for row in [[column.title for column in columns], *rows]:
        cells = (_pad(row[at], widths[at], columns[at].right) for at in shown)
        line = _GAP.join(cells).rstrip()
        lines.append(line if width is None else _cut(line, width))
    return lines


def _fit(columns: Sequence[Column], shown: list[int], widths: list[int], width: int) -> None:
    def excess() -> int:
        return sum(widths[at] for at in shown) + len(_GAP) * (len(shown) - 1) - width

    while excess() > 0:
        for at in shown:
            least = columns[at].least
            if least is not None and excess() > 0:
                widths[at] = max(min(widths[at], least), widths[at] - excess())
        if excess() <= 0 or len(shown) == 1:
            return
        shown.remove(min(shown, key=lambda at: columns[at].keep))


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
