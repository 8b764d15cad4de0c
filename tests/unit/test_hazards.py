"""The tests that `docs/hazards.md` names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "hazards.md"
NAMED = re.compile(r"`(\w+): ([^`]+)`")
ROWS = [line for line in PAGE.read_text().splitlines() if re.match(r"\| (?!hazard)\w", line)]


def source_of(name: str) -> str:
    """The text of the files of a test: of C without a prefix, of Python with one."""
    found = [*ROOT.glob(f"native/tests/*/{name}.c"), *ROOT.glob(f"native/tests/*/test_{name}.c")]
    return "\n".join(path.read_text() for path in (*found, *ROOT.glob(f"tests/*/{name}.py")))


def exists(name: str, case: str) -> bool:
    text = source_of(name)
    return f'{{"{case}",' in text or f"def {case}(" in text


def test_every_hazard_names_a_test() -> None:
    assert len(ROWS) > 40
    assert [row for row in ROWS if not NAMED.search(row.rpartition(" | ")[2])] == []


@pytest.mark.parametrize("name", sorted({name for name, _ in NAMED.findall(PAGE.read_text())}))
def test_the_cases_of_a_test_are_there(name: str) -> None:
    cases = {case for found, case in NAMED.findall(PAGE.read_text()) if found == name}
    assert {case for case in cases if not exists(name, case)} == set()
