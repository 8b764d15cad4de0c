"""Commands for what starts programs itself: shells, systemd, Jupyter."""

from __future__ import annotations

import shlex

import pytest

from giveway.cli import cli
from giveway.cli.env import render
from giveway.cli.man import page, text
from giveway.errors import UsageError

BEFORE = {"HOME": "/home/me", "GIVEWAY_NAME": "old", "LD_PRELOAD": "/a.so"}
AFTER = {"HOME": "/home/me", "LD_PRELOAD": "/b c.so:/a.so", "GIVEWAY_PRIORITY": "-5"}


def test_a_shell_gets_what_differs() -> None:
    assert render(BEFORE, AFTER, "sh").splitlines() == [
        "unset GIVEWAY_NAME",
        "export GIVEWAY_PRIORITY=-5",
        "export LD_PRELOAD='/b c.so:/a.so'",
    ]


def test_fish_gets_its_own_words() -> None:
    assert render(BEFORE, {"A": r"it's \ here"}, "fish").splitlines() == [
        "set -e GIVEWAY_NAME",
        "set -e HOME",
        "set -e LD_PRELOAD",
        r"set -gx A 'it\'s \\ here'",
    ]


def test_a_file_has_values_as_they_are() -> None:
    assert render(BEFORE, AFTER, "file") == "GIVEWAY_PRIORITY=-5\nLD_PRELOAD=/b c.so:/a.so\n"


def test_a_file_cannot_have_a_line_break() -> None:
    with pytest.raises(UsageError, match="A has a line break"):
        render({}, {"A": "1\n2"}, "file")


@pytest.mark.parametrize("value", ["", "plain", "two words", "it's", "$HOME `id`", "a\nb", "\\"])
def test_no_value_is_a_command_to_a_shell(value: str) -> None:
    (line,) = render({}, {"A": value}, "sh").removesuffix("\n").split("\nexport")[:1]
    assert shlex.split(line) == ["export", f"A={value}"]


def test_the_manual_page_has_every_command_and_option() -> None:
    lines = list(page(cli))
    for name, option in (
        ("run", "--priority"),
        ("kernel install", "--sys-prefix"),
        ("ps", "--json"),
    ):
        start = lines.index(f'.SS "giveway {text(name)}"')
        rest = lines[start + 1 :]
        section = rest[: next(n for n, line in enumerate([*rest, ".S"]) if line.startswith(".S"))]
        assert any(text(option) in line for line in section), name


def test_text_is_no_command_to_roff() -> None:
    assert text(".so /etc/passwd") == r"\&.so /etc/passwd"
    assert text("'br") == r"\&'br"
    assert text(r"a\b --x") == r"a\eb \-\-x"
