"""Reads files of arrivals: one time a line, or a public trace of a language-model service.

Of a table with a header, the columns are found by their names, so that further columns and another
order do not matter. Two public formats are known: Azure's (``TIMESTAMP,ContextTokens,
GeneratedTokens``) and BurstGPT's (``Timestamp,Model,Request tokens,Response tokens,…``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from giveway.errors import UsageError

MAX_REQUESTS: Final = 100_000
"""Requests after these are ignored. The trace is sent to the program before each segment."""
_FORMATS: Final = (
    ("timestamp", "contexttokens", "generatedtokens"),
    ("timestamp", "requesttokens", "responsetokens"),
)
"""For each format, the columns of the time, the tokens of the prompt, and those of the answer."""
_HEADERS: Final = (
    "TIMESTAMP,ContextTokens,GeneratedTokens or Timestamp,Model,Request tokens,Response tokens"
)


class Arrival(NamedTuple):
    """One request of a trace."""

    at: float
    """The time in seconds; in a trace, from any beginning."""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    """The tokens of the prompt and of the answer; None: the trace does not say."""


class _Line:
    """One line of a file, with its position for errors."""

    def __init__(self, path: Path, number: int, text: str) -> None:
        self._path, self.number, self.text = path, number, text
        self.fields = text.split(",")

    def field(self, column: int) -> str:
        """The text of a field, which may stand between quotation marks."""
        return self.fields[column].strip().strip('"')

    def reject(self, expected: str, column: int = 0) -> NoReturn:
        """Raises an error about a field, which begins at that column of the file."""
        found = self.fields[column].strip() if column < len(self.fields) else ""
        before = sum(len(each) + 1 for each in self.fields[:column])
        character = 1 + min(before, len(self.text))
        shown = f", found {found[:40]!r}" if found else ""
        raise UsageError(f"{self._path}:{self.number}:{character}: expected {expected}{shown}")

    def number_in(self, column: int, expected: str) -> float:
        try:
            value = float(self.field(column))
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            self.reject(expected, column)
        return value

    def time_in(self, column: int) -> float:
        """A date with a time of day, in seconds, or a number of seconds."""
        text = self.field(column)
        if "-" not in text.lstrip("-"):
            return self.number_in(column, "a number of seconds from 0, or a date and time")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.reject("a date and time such as 2023-11-16 18:01:51.2639900", column)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def tokens_in(self, column: int) -> int:
        text = self.field(column)
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            self.reject("a whole number of tokens", column)
        return int(text)


def read(path: Path) -> tuple[Arrival, ...]:
    """The requests of a file, ascending.

    Raises:
        OSError: the file cannot be read.
        UsageError: the file is malformed; the text has file, line, column, and what is expected.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline=None) as file:
        numbered = enumerate(file, 1)
        lines = (_Line(path, at, text.rstrip()) for at, text in numbered if text.strip())
        first = next(lines, None) or _Line(path, 1, "")
        parse = _parser(first)
        arrivals: list[Arrival] = []
        found = ((line, parse(line)) for line in _from(first, lines, parse is _plain))
        served = ((line, each) for line, each in found if each.output_tokens != 0)
        for line, arrival in islice(served, MAX_REQUESTS):
            if arrivals and arrival.at < arrivals[-1].at:
                line.reject("a time that is not before that of the request above")
            arrivals.append(arrival)
    if len(arrivals) < 2:
        raise UsageError(f"{path}:1:1: expected two or more requests, found {len(arrivals)}")
    return tuple(arrivals)


def _from(first: _Line, others: Iterator[_Line], with_first: bool) -> Iterator[_Line]:
    if with_first and first.text:
        yield first
    yield from others


def _parser(first: _Line) -> Callable[[_Line], Arrival]:
    """The parser for the lines of a file that begins with this line."""
    names = ["".join(each.split()).strip('"').lower() for each in first.fields]
    for wanted in _FORMATS:
        if set(wanted) <= set(names):
            return _columns(len(names), [names.index(each) for each in wanted])
    if first.text.lstrip()[:1].isalpha():
        first.reject(f"a number of seconds, or the header {_HEADERS}")
    return _plain


def _plain(line: _Line) -> Arrival:
    if len(line.fields) > 1:
        line.reject("one number of seconds a line", 1)
    return Arrival(line.number_in(0, "a number of seconds from 0"))


def _columns(count: int, at: list[int]) -> Callable[[_Line], Arrival]:
    time, prompt, output = at

    def parse(line: _Line) -> Arrival:
        if len(line.fields) != count:
            wanted = f"{count} columns as in the header, found {len(line.fields)}"
            line.reject(wanted, len(line.fields))
        return Arrival(line.time_in(time), line.tokens_in(prompt), line.tokens_in(output))

    return parse
