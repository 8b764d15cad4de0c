"""Help that fits the terminal, however narrow."""

from __future__ import annotations

import re
import shutil
import textwrap
from typing import Final

import click

_LEAST: Final = 30
"""Columns; click itself never goes below 50."""
_LEAST_ASIDE: Final = 20
"""Columns that the last column of a table needs to be folded within itself."""


class Formatter(click.HelpFormatter):
    """Folds every line. Click leaves the lines of examples and tables as they are."""

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
        start = len(line) - len(line.lstrip())
        indent = start + 4
        for gap in re.finditer(r"(?<=\S) {2,}", line):  # between the columns of a table
            if self.width - gap.end() >= _LEAST_ASIDE:
                start = indent = gap.end()
        return textwrap.fill(
            line[start:],
            self.width,
            initial_indent=line[:start],
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


class Context(click.Context):
    """The context of every giveway command."""

    formatter_class = Formatter


class Group(click.Group):
    """A command with subcommands."""

    context_class = Context

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands with their full summaries. Click would cut off those of two lines."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(n, c.get_short_help_str(limit=99)) for n, c in commands if c])
