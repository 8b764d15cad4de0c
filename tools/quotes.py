"""Holds the numbers in README.md and docs/ against the figures of results/.

python tools/quotes.py     says which numbers no figure has

A block of Markdown (what is between two blank lines) says where its measured numbers are from:

    <!-- figures: results/NAME -->          from results/NAME/figures.json
    <!-- figures: results/NAME#dual* -->    from the figures there whose names begin with dual
    <!-- no figures: 10 s is a setting -->  not measured, or no raw records kept

Several folders are separated by commas. In a block with a mark each number with a unit or with a
decimal point, and each in a table but for its first column, is that of a figure, rounded as it is
written, or stands in a comment that says why there is none. In README.md a block with such numbers
needs a mark. In docs/ it needs one if it names results/, or speaks of a p50, a median or of what
was measured.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]

_MARK: Final = re.compile(r"<!--\s*(no )?figures:\s*(.*?)\s*-->", re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_NO_PROSE: Final = re.compile(
    r"`[^`\n]*`"
    r"|\]\([^)\s]*\)"  # where a link leads
    r"|\b\d{4}-\d\d-\d\d\b"
    r"|\b(?:torch|PyTorch|driver|Python|Ray|ROCm|glibc|Linux|Ubuntu|Debian|libcudart|CUDA|version)"
    r" \d[\d.]*(?:, \d[\d.]*)*(?: and \d[\d.]*)?"
    r"|\bdecisions? \d+(?: and \d+)?"
    r"|\b95 % (?:confidence )?intervals?"
    r"|\((?:580|driver)[\d., ]*",
    re.MULTILINE,
)
_NUMBER: Final = r"(?<![\w.,/+-])[+-]?(?:\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(?![\w])"
_JOINED: Final = rf"{_NUMBER}(?:(?:\s?[-–/]\s?|,? (?:to|and|or) |, )(?:\d+(?:\.\d+)?)(?![\w]))*"
_UNIT: Final = r"(?:\s?(?:%|×)|\s?(?:ms|µs|us|ns|s)(?![\w])|\s(?:\w+/s)(?![\w]))"
_MEASURED: Final = re.compile(
    rf"(?P<numbers>{_JOINED})(?P<unit>{_UNIT})(?:\s*\((?P<interval>{_JOINED})\))?"
)
_DECIMAL: Final = re.compile(r"(?<![\w.,/])\d+\.\d+(?!\.?\w)")
_PLAIN: Final = re.compile(r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?")
_SPEAKS: Final = re.compile(r"results/|\bp50\b|\bp99\b|\bmedians?\b|\b[Mm]easured\b|\bquartiles?\b")
_NO_BLOCK: Final = re.compile(
    r"^```.*?^```|^<!-- tables?: .*?^<!-- end of tables? -->", re.MULTILINE | re.DOTALL
)
_INTRODUCES: Final = re.compile(r":(?:\s*<!--[^\n]*-->)*\n\n(?=\||<!--[^\n]*-->\n\|)")
_GLUE: Final = "\N{WORD JOINER}"
_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class Number:
    """A number as it is written."""

    text: str
    unit: str | None

    def __str__(self) -> str:
        return f"{self.text} {self.unit or ''}".rstrip()

    def is_that_of(self, figure: dict[str, Any]) -> bool:
        """Whether it is a value or an edge of the interval, rounded."""
        value = float(self.text.replace(",", ""))
        places = len(self.text.partition(".")[2])
        values = figure["value"]
        known = [*(values if isinstance(values, list) else [values]), *figure.get("interval", ())]
        return any(
            abs(scale * each - value) <= 0.5 * 10**-places + 1e-9 * abs(value)
            for each in known
            for scale in self._scales(figure["unit"])
        )

    def _scales(self, unit: str) -> list[float]:
        if self.unit in _SECONDS:
            return [_SECONDS[unit] / _SECONDS[self.unit]] if unit in _SECONDS else []
        if self.unit == "%":
            return [100.0] if unit == "share" else [1.0] if unit == "%" else []
        if self.unit == "×":
            return [1.0] if unit in ("share", "times") else []
        return [1.0, 100.0] if unit == "share" else [1.0]


def pages() -> list[Path]:
    """The pages whose numbers are held against figures."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """What is between blank lines, with the number of its first line; a table belongs to what
    introduces it. Code is left out, and so are tables that a tool writes."""
    text = _NO_BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)
    text = _INTRODUCES.sub(lambda found: f"{found[0].rstrip()}\n{_GLUE}\n", text)
    line = 1
    for block in re.split(r"(\n\s*\n)", text):
        if block.strip() and not all(each.startswith("    ") for each in block.splitlines()):
            yield line, block.replace(_GLUE, "")
        line += block.count("\n")


def numbers(block: str) -> list[Number]:
    """Those in a block that look measured."""
    prose = _NO_PROSE.sub(" ", _COMMENT.sub(" ", block))
    rows = [line for line in prose.splitlines() if line.lstrip().startswith("|")]
    cells = " \n".join(cell for row in rows[1:] for cell in row.strip().strip("|").split("|")[1:])
    prose = "\n".join(line for line in prose.splitlines() if not line.lstrip().startswith("|"))
    found: dict[Number, None] = {}
    for text in (prose, cells):
        for match in _MEASURED.finditer(text):
            for part in (match["numbers"], match["interval"] or ""):
                for place, each in enumerate(_PLAIN.findall(part)):
                    sign = "-" if place == 0 and part.startswith("-") else ""
                    found[Number(sign + each, match["unit"].strip())] = None
        rest = _MEASURED.sub(" ", text)
        for match in (_PLAIN if text is cells else _DECIMAL).finditer(rest):
            found[Number(match[0], None)] = None
    return list(found)


def figures(mark: str) -> list[dict[str, Any]]:
    """The figures that a mark names.

    Raises:
        ValueError: it names a folder or a figure that is not there.
    """
    found: list[dict[str, Any]] = []
    for address in re.split(r"\s*,\s*", mark):
        folder, _, pattern = address.partition("#")
        path = ROOT / folder / "figures.json"
        if not folder.startswith("results/") or not path.is_file():
            raise ValueError(f"{folder} has no figures")
        every = json.loads(path.read_text(encoding="utf-8"))["figures"]
        named = [each for each in every if fnmatch(each["name"], pattern or "*")]
        if not named:
            raise ValueError(f"{folder} has no figure {pattern}")
        found += named
    return found


def faults(page: str, text: str) -> Iterator[str]:
    """What is wrong with a page, a line for each.

    Args:
        page: its name; in README.md each number with a unit needs a mark.
        text: its Markdown.
    """
    for line, block in blocks(text):
        where = f"{page}:{line}"
        marks = _MARK.findall(block)
        excused = {each for no, mark in marks if no for each in _PLAIN.findall(mark)}
        measured = [each for each in numbers(block) if each.text not in excused]
        if all(no for no, _ in marks):
            # Where nothing was measured a plain number in a table counts something.
            measured = [each for each in measured if each.unit or "." in each.text]
        if not marks:
            if measured and (page == "README.md" or _SPEAKS.search(block)):
                yield f"{where}: no mark says where these are from: {', '.join(map(str, measured))}"
            continue
        try:
            known = [each for no, mark in marks if not no for each in figures(mark)]
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        for each in measured:
            if not any(each.is_that_of(figure) for figure in known):
                yield f"{where}: no figure is {each}"


def main() -> int:
    found = [
        fault
        for path in pages()
        for fault in faults(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]
    print("\n".join(found) or "Each measured number is that of a figure.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
