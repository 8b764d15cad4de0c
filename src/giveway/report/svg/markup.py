"""HTML and SVG from nested calls: what is text is escaped, and what is opened is closed.

The output is well-formed XML as well, so that any XML parser can check a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_VOID: Final = frozenset(("meta", "link", "line", "rect", "circle", "path"))


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | Markup | None
"""Text is escaped, markup is not, None is nothing."""


def element(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """One element. In the name of an attribute ``_`` stands for ``-``, and a last one for nothing
    (``class_``); one that is None is left out."""
    opened = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = joined(children)
    if name in _VOID and not inner:
        return Markup(f"<{name}{opened}/>")
    return Markup(f"<{name}{opened}>{inner}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Several, one after the other."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(child, quote=False)
            for child in children
            if child is not None
        )
    )


def _text(value: str | float) -> str:
    """Numbers as short as a picture can do with."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    number: bool = False
    """Set to the right, in figures of one width."""


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Child]]) -> Markup:
    """A table whose first column names its rows.

    On a narrow screen each row becomes a block, in which each cell says its column.
    """
    head = element(
        "tr",
        *(element("th", column.title, scope="col", class_=_class(column)) for column in columns),
    )
    return element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", *(_row(columns, row) for row in rows)),
    )


def stacked(said: str) -> Markup:
    """A number, and below it the interval that follows in parentheses, if one does."""
    value, _, interval = said.partition(" (")
    below = element("small", interval.removesuffix(")")) if interval else None
    return element("span", value, below)


def _row(columns: Sequence[Column], row: Sequence[Child]) -> Markup:
    first, *rest = row
    cells = [element("th", first, scope="row")]
    cells += [
        element("td", element("span", cell), class_=_class(column),
                data_label=column.title)
        for column, cell in zip(columns[1:], rest, strict=True)
    ]  # fmt: skip
    return element("tr", *cells)


def _class(column: Column) -> str | None:
    return "number" if column.number else None
