"""Checks the numbers in README.md and docs/ against the figures of results/.

python tools/quotes.py     prints the numbers that are not those of a figure

A block of Markdown (the text between two blank lines) names the source of its measured numbers:

    <!-- figures: results/NAME -->          from results/NAME/figures.json
    <!-- figures: results/NAME#dual* -->    from the figures there whose names begin with dual
    <!-- no figures: 10 s is a setting -->  not measured, or no raw records kept

Several folders are separated by commas. In a block with a mark, these numbers are checked: numbers
with a unit or a decimal point, and all numbers in a table outside its first column. Each of them
must equal a figure, rounded to the digits written, or stand in a "no figures" comment. Every block
of README.md with such numbers needs a mark. In docs/, a block needs one if it names results/ or
mentions a p50, p99, median, quartile or the word "measured".
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
    r"|\]\([^)\s]*\)"  # the target of a link
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
    """A number as written in a document."""

    text: str
    unit: str | None

    def __str__(self) -> str:
        return f"{self.text} {self.unit or ''}".rstrip()

    def matches(self, figure: dict[str, Any]) -> bool:
        """Whether the number is a value of the figure or an edge of its interval, rounded."""
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
    """The pages whose numbers are checked."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yields the blocks between blank lines, each with the number of its first line.

    A table belongs to the block that introduces it. Code and tables that a tool writes are left
    out.
    """
    text = _NO_BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)
    text = _INTRODUCES.sub(lambda found: f"{found[0].rstrip()}\n{_GLUE}\n", text)
    line = 1
    for block in re.split(r"(\n\s*\n)", text):
        if block.strip() and not all(each.startswith("    ") for each in block.splitlines()):
            yield line, block.replace(_GLUE, "")
        line += block.count("\n")


def numbers(block: str) -> list[Number]:
    """The numbers in a block that look measured."""
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
        ValueError: the mark names a folder or a figure that does not exist.
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
    """Yields the faults of a page, in one line each.

    Args:
        page: the name of the page; in README.md each number with a unit needs a mark.
        text: the Markdown of the page.
    """
    for line, block in blocks(text):
        where = f"{page}:{line}"
        marks = _MARK.findall(block)
        excused = {each for no, mark in marks if no for each in _PLAIN.findall(mark)}
        measured = [each for each in numbers(block) if each.text not in excused]
        if all(no for no, _ in marks):
            # Without measured figures, a plain number in a table is a count.
            measured = [each for each in measured if each.unit or "." in each.text]
        if not marks:
            if measured and (page == "README.md" or _SPEAKS.search(block)):
                yield f"{where}: no mark names the source of {', '.join(map(str, measured))}"
            continue
        try:
            known = [each for no, mark in marks if not no for each in figures(mark)]
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        for each in measured:
            if not any(each.matches(figure) for figure in known):
                yield f"{where}: no figure equals {each}"


def main() -> int:
    found = [
        fault
        for path in pages()
        for fault in faults(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]
    print("\n".join(found) or "Each measured number equals a figure.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
