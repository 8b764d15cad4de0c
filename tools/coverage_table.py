"""Prints which share of the lines ran, for each part of giveway; what `make coverage` ends with.

python tools/coverage_table.py build/coverage

Reads python.json, which `coverage json` has written there, and what gcov says about the objects
below native/; writes c.json and parts.json beside them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

C_FOLDERS = ("gate", "cpu", "gpu")

Lines = dict[str, dict[int, bool]]
"""Of each file, which lines can run, and whether they did."""


def python_lines(report: Mapping[str, Any]) -> Lines:
    """What coverage.py says."""
    return {
        name: dict.fromkeys(file["missing_lines"], False)
        | dict.fromkeys(file["executed_lines"], True)
        for name, file in report["files"].items()
    }


def c_lines(reports: Iterable[Mapping[str, Any]], root: Path) -> Lines:
    """What gcov says; a line has run if it has in any of the objects that it is compiled into."""
    found: Lines = {}
    for report in reports:
        for file in report["files"]:
            path = (root / file["file"]).resolve()  # CMakeLists.txt has compilers say ./native/…
            if not path.is_relative_to(root / "native"):
                continue
            name = path.relative_to(root)
            if name.parts[1] in C_FOLDERS:
                lines = found.setdefault(str(name), {})
                for line in file["lines"]:
                    number = line["line_number"]
                    lines[number] = lines.get(number, False) or line["count"] > 0
    return found


def read_gcov(build: Path) -> Iterator[dict[str, Any]]:
    # The notes of the compiler name objects that never ran, too.
    objects = sorted(str(path) for path in build.rglob("*.gcno"))
    said = subprocess.run(
        ["gcov", "--json-format", "--stdout", *objects],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in said.stdout.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def part(name: str) -> str:
    """src/giveway/cli/ps.py belongs to src/giveway/cli, and native/gate/page.c to native/gate."""
    folders = PurePath(name).parts
    return "/".join(folders[: 3 if folders[0] == "src" and len(folders) > 3 else 2])


def count(lines: Lines) -> dict[str, tuple[int, int]]:
    """How many lines ran and how many can, of each part."""
    parts: dict[str, tuple[int, int]] = {}
    for name, of_file in sorted(lines.items()):
        ran, can = parts.get(part(name), (0, 0))
        parts[part(name)] = (ran + sum(of_file.values()), can + len(of_file))
    return parts


def table(python: Mapping[str, tuple[int, int]], c: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    yield "| part | ran | lines | |"
    yield "|---|---:|---:|---:|"
    for language, parts in (("Python", python), ("C", c)):
        total = (sum(ran for ran, _ in parts.values()), sum(can for _, can in parts.values()))
        for name, (ran, can) in [*parts.items(), (f"**all {language}**", total)]:
            yield f"| {name} | {ran} | {can} | {ran / can if can else 1:.1%} |"


def main(folder: Path) -> None:
    root = Path(__file__).resolve().parents[1]
    python = count(python_lines(json.loads((folder / "python.json").read_text(encoding="utf-8"))))
    of_c = c_lines(read_gcov(folder / "native"), root)
    c = count(of_c)
    missing = {
        name: [number for number, ran in sorted(lines.items()) if not ran]
        for name, lines in sorted(of_c.items())
    }
    (folder / "c.json").write_text(json.dumps({"missing_lines": missing}), encoding="utf-8")
    (folder / "parts.json").write_text(json.dumps({**python, **c}, indent=1), encoding="utf-8")
    print("\n".join(table(python, c)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
