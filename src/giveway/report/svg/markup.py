"""HTML and SVG from nested calls, which escape text and close every element.

The output is also well-formed XML, so that any XML parser can check a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_VOID: Final = frozenset(("meta", "link", "line", "rect", "circle", "path"))


class Markup(str):
    """Text that already is markup."""

    __slots__ = ()


Child = str | Markup | None
"""Text, which is escaped; markup, which is not; or None, which is left out."""


def element(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """One element.

    Args:
        name: the name of the element.
        children: its content.
        attributes: by name, where ``_`` stands for ``-`` and a trailing ``_`` is dropped
            (``class_``). Attributes with the value None are left out.
    """
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
    """The children, one after the other."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(child, quote=False)
            for child in children
            if child is not None
        )
    )


def _text(value: str | float) -> str:
    """The value of an attribute; numbers have at most two decimals."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    number: bool = False
    """Whether the column is right-aligned, in digits of equal width."""


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Child]]) -> Markup:
    """A table whose first column holds the row headings.

    On a narrow screen each row becomes a block, and each cell shows the title of its column.
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


def stacked(text: str) -> Markup:
    """A number with the interval in parentheses, if any, moved to a line below."""
    value, _, interval = text.partition(" (")
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
