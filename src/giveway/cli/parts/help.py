"""Help that fits the terminal, however narrow, and where to find it after a mistake."""

from __future__ import annotations

import re
import shutil
import textwrap
from typing import Final

import click

from giveway.errors import UsageError, choices

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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand that the first argument names. Click's own error does not say which
        subcommands there are."""
        name = args[0]
        known = self.get_command(ctx, name) is not None or name.startswith("-")
        if not known and not ctx.resilient_parsing:  # as in a completion
            raise UsageError(f"no command {name!r}: {choices(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands with their full summaries. Click would cut off those of two lines."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(n, c.get_short_help_str(limit=99)) for n, c in commands if c])


_VAGUE: Final = (click.UsageError, click.MissingParameter, click.NoSuchOption)
"""Errors of click that do not say what to write instead."""


def in_one_line(error: click.ClickException) -> str:
    """The text of an error, with the command whose help says what to write where it does not."""
    text = error.format_message()
    if type(error) not in _VAGUE or "Did you mean" in text:
        return text
    context = error.ctx if isinstance(error, click.UsageError) else None
    return text if context is None else f"{text.rstrip('.')}; see {context.command_path} --help"
