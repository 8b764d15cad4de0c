"""Help that fits the terminal, however narrow."""

from __future__ import annotations

import shutil
import textwrap
from typing import Final

import click

_LEAST: Final = 30
"""Columns; click itself never goes below 50."""


class Formatter(click.HelpFormatter):
    """Folds every line, those of examples and tables too, which click leaves as they are."""

    def __init__(
        self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None
    ) -> None:
        columns = min(shutil.get_terminal_size().columns, max_width or 80) - 2
        super().__init__(indent_increment, width or max(columns, _LEAST), max_width)

    def getvalue(self) -> str:
        """The help as it is printed."""
        return "".join(f"{folded}\n" for folded in map(self._fold, super().getvalue().splitlines()))

    def _fold(self, line: str) -> str:
        if len(line) <= self.width:
            return line
        indent = " " * (len(line) - len(line.lstrip()))
        return textwrap.fill(
            line.lstrip(),
            self.width,
            initial_indent=indent,
            subsequent_indent=f"{indent}    ",
            break_long_words=False,
            break_on_hyphens=False,
        )


class Context(click.Context):
    """The context of every command here."""

    formatter_class = Formatter
