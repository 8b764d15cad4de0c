"""``giveway man``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from giveway.cli.parts.help import Context
from giveway.version import __version__


@click.command("man")
def command() -> None:
    """Print the manual page, which has the help of all commands.

    \b
    Examples:
      giveway man | man -l -
      giveway man > ~/.local/share/man/man1/giveway.1
    """
    from giveway.cli import cli

    click.echo("\n".join(page(cli)))


def page(root: click.Group) -> Iterator[str]:
    """The lines of the page, in roff."""
    yield f'.TH GIVEWAY 1 "" "giveway {__version__}" "User Commands"'
    yield ".SH NAME"
    yield "giveway \\- several programs share one device by priority"
    yield ".SH SYNOPSIS"
    yield ".B giveway"
    yield "COMMAND [OPTIONS] [ARGS]"
    yield ".SH DESCRIPTION"
    yield from paragraphs(root.help)
    yield ".SH COMMANDS"
    yield from sections(root, Context(root, info_name="giveway"))
    yield ".SH SEE ALSO"
    yield "Exit codes and environment variables: docs/reference in the source of giveway."


def sections(group: click.Group, context: click.Context) -> Iterator[str]:
    """A section for each command of a group, and for theirs."""
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        inner = Context(found, parent=context, info_name=name)
        yield f'.SS "{text(inner.command_path)}"'
        if isinstance(found, click.Group):
            yield from paragraphs(found.help)
            yield from sections(found, inner)
            continue
        usage = " ".join(found.collect_usage_pieces(inner))
        yield f".B {text(inner.command_path)}"
        yield text(usage)
        yield ".PP"
        yield from paragraphs(found.help)
        for parameter in found.get_params(inner):
            record = parameter.get_help_record(inner)
            if record is not None:
                yield ".TP"
                yield f".B {text(record[0])}"
                yield text(record[1])


def paragraphs(help_text: str | None) -> Iterator[str]:
    """Help as click has it: paragraphs, and after a line with a backspace, lines as they are."""
    for paragraph in inspect.cleandoc(help_text or "").split("\n\n"):
        lines = paragraph.split("\n")
        if lines[0].strip() == "\b":
            yield from (".PP", ".nf", *map(text, lines[1:]), ".fi")
        else:
            yield from (".PP", *map(text, lines))


def text(line: str) -> str:
    """Text in which roff sees no commands."""
    escaped = line.replace("\\", "\\e").replace("-", "\\-").replace("\b", "")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
