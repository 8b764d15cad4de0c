"""Names that other programs chose cannot act on a terminal, wherever they are printed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.cli import events
from giveway.cli.parts import tasks as table
from giveway.observe.details import Details, key
from giveway.observe.programs import Program
from giveway.sched.task import Task
from giveway.text import printable

CLI = Path(__file__).parents[2] / "src" / "giveway" / "cli"
TASK = Task(
    ticket=1,
    device="cpu",
    pid=10,
    name="b",
    priority=0,
    state="active",
    is_thread=False,
    launches=100,
    operators=0,
    holds=0,
    held_seconds=1.0,
    preemptions=0,
    joined_seconds=0.0,
)
EVIL = "\x1b]0;owned\x07\x1b[2J\n0 root\u202e\x9b\udcff"


@given(st.text())
def test_what_is_printed_is_one_line_and_no_command(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert "\n" not in shown
    assert printable(shown) == shown
    shown.encode()


def test_ordinary_names_stay_as_they_are() -> None:
    for name in ("train.py", "größe", "训练 🙂", "a b", "", "75 % · 2 × H200 → …"):
        assert printable(name) == name
    assert printable("a\x1b[31mb\n\t\x9b") == "a\\x1b[31mb\\n\\t\\x9b"


def test_a_table_shows_a_name_in_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    evil = replace(TASK, name=EVIL, job=EVIL)
    details = {key(evil): Details(EVIL, EVIL)}
    rows = table.rows([evil], [Program(7, EVIL, EVIL, EVIL)], details)
    table.show(rows, None)
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 4  # the header, two rows, and a reason
    assert all(line.isprintable() for line in shown)
    assert shown[1].count("owned") == 4
    table.show(rows, None, as_csv=True)
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


def test_events_show_a_name_in_their_line() -> None:
    event = {
        "time": 1.5,
        "what": "held",
        "pid": 7,
        "name": EVIL,
        "device": EVIL,
        "by": {"name": EVIL, "pid": 8},
        "attributes": {"group": EVIL},
        "why": EVIL,
        "policy": EVIL,
        "traceback": f"one\n{EVIL}",
    }
    shown = events.line(event).split("\n")
    assert all(line.isprintable() for line in shown)
    assert shown[0].count("owned") == 6


def test_json_holds_any_name() -> None:
    assert json.loads(json.dumps({"name": EVIL}))["name"] == EVIL
    assert json.dumps({"name": EVIL}).isprintable()


@pytest.mark.parametrize("path", sorted(CLI.rglob("*.py")), ids=lambda path: path.stem)
def test_commands_print_lines_that_are_escaped(path: Path) -> None:
    """`bench`, `verify` and `compare` print names of scenarios, which are words."""
    if path.stem in ("bench", "verify", "compare", "lines"):
        return
    own = {
        "json.dumps(",  # escapes such characters itself
        "nl=False",  # the output of a job, or a report
        "text, file=output",  # lines of `trace`, each escaped
        "page(cli)",  # the help texts, as a page
        "completion(cli, ",  # a script without names of users
        "error.format_message()",  # the help text
        "as_json else line(event)",  # each of an event's lines is escaped
    }
    for call in re.findall(r"click\.echo\(.*|(?<![.\w])print\(.*", path.read_text()):
        assert any(part in call for part in own), call
