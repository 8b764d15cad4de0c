"""Reading and applying the breaks of `make mutants`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import mutants
from tools.mutants import Mutant, MutantError

ENTRY = """
[[mutant]]
name = "one is two"
file = "src/one.py"
old = "ONE = 1"
new = "ONE = 2"
tests = ["gate", "tests/unit/test_one.py::test_one"]
"""


def mutant(**changes: object) -> Mutant:
    values = {
        "part": "numbers", "name": "one is two", "file": "src/one.py",
        "old": "ONE = 1", "new": "ONE = 2", "tests": ("gate",),
    }  # fmt: skip
    return Mutant(**{**values, **changes})  # type: ignore[arg-type]


def read(folder: Path, text: str) -> list[Mutant]:
    path = folder / "numbers.toml"
    path.write_text(text)
    return mutants.read(path)


def test_a_break_is_read(tmp_path: Path) -> None:
    tests = ("gate", "tests/unit/test_one.py::test_one")
    assert read(tmp_path, ENTRY) == [mutant(tests=tests)]
    assert mutants.split(tests) == (["gate"], ["tests/unit/test_one.py::test_one"])


def test_one_that_is_known_to_be_missed_says_why(tmp_path: Path) -> None:
    (known,) = read(tmp_path, ENTRY + 'reason = "nobody counts"')
    assert known.reason == "nobody counts"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('new = "ONE = 2"', "", "new"),
        ('new = "ONE = 2"', 'new = "ONE = 2"\nafter = 1', "after"),
        ('new = "ONE = 2"', 'new = "ONE = 1"', "changes nothing"),
        ('["gate", "tests/unit/test_one.py::test_one"]', "[]", "names no test"),
    ],
)
def test_a_break_that_cannot_be_right_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(MutantError, match=said):
        read(tmp_path, ENTRY.replace(old, new))


def test_two_breaks_of_one_name_are_refused(tmp_path: Path) -> None:
    for part in ("one", "other"):
        (tmp_path / f"{part}.toml").write_text(ENTRY)
    with pytest.raises(MutantError, match="one is two"):
        mutants.read_all(tmp_path)


def test_a_break_is_applied() -> None:
    assert mutant().apply("ZERO = 0\nONE = 1\n") == "ZERO = 0\nONE = 2\n"


@pytest.mark.parametrize(
    ("text", "said"), [("TWO = 2", "does not occur"), ("ONE = 1\nONE = 1", "occurs 2 times")]
)
def test_the_old_text_has_to_occur_once(text: str, said: str) -> None:
    with pytest.raises(MutantError, match=f"numbers: 'one is two': the old text {said} in src"):
        mutant().apply(text)


def test_what_is_no_python_any_more_is_refused() -> None:
    with pytest.raises(MutantError, match="is not Python"):
        mutant(new="ONE = ").apply("ONE = 1")
