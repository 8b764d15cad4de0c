"""Configuration files: which setting counts, where it comes from, and what mistakes get."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from giveway.cli import main
from giveway.cli.parts.settings import choose
from giveway.config.file import Entry, Setting, read
from giveway.config.keys import KEYS
from giveway.config.resolve import SYSTEM, Value, files, resolve
from giveway.doctor.configuration import problems
from giveway.errors import UsageError

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "config.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_a_later_table_overrides_an_earlier_one_key_by_key(write: Write) -> None:
    path = write(
        """
[[program]]
name = "train*"
priority = -10
slowdown = "5%"

[defaults]
priority = 3

[[program]]
name = "train.py"
priority = -20
"""
    )
    environ = {"GIVEWAY_CONFIG": str(path)}
    values = resolve("train.py", "/", {}, environ)
    assert values["priority"] == Value("-20", "file", f"{path}:12")
    assert values["slowdown"] == Value("5%", "file", f"{path}:5")
    assert resolve("serve.py", "/", {}, environ)["priority"] == Value("3", "file", f"{path}:8")


def test_a_directory_is_that_one_and_what_is_below(write: Write, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    path = write(f'[[program]]\ndirectory = "{tmp_path}/link/"\npriority = 7\n')
    (entry,) = read(path)
    assert entry.directory == str(tmp_path / "real")
    for directory, found in (("real", True), ("real/x/y", True), ("reality", False), ("", False)):
        assert entry.matches("any", str(tmp_path / directory)) is found, directory
    assert not entry.matches("any", "")  # a directory that was removed


def test_a_directory_may_begin_with_the_home_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (entry,) = read(write('[[program]]\ndirectory = "~/lab"\npriority = 7\n'))
    assert entry == Entry(None, str(tmp_path / "lab"), {"priority": Setting("7", 3)})


SOURCES = ("system", "user", "environment", "option")


@settings(max_examples=40)  # each makes files
@given(given=st.sets(st.sampled_from(SOURCES)), key=st.sampled_from(sorted(KEYS)))
def test_the_nearest_source_counts(
    tmp_path_factory: pytest.TempPathFactory, given: set[str], key: str
) -> None:
    folder = tmp_path_factory.mktemp("config")
    user = folder / "giveway" / "config.toml"
    user.parent.mkdir()
    system = folder / "system.toml"
    values = ("true", "0", "false", "1") if key == "parkable" else ("1", "2", "3", "4")
    text = dict(zip(SOURCES, values, strict=True))
    if "system" in given:
        system.write_text(f"[defaults]\n{key} = {text['system']}\n")
    if "user" in given:
        user.write_text(f"[defaults]\n{key} = {text['user']}\n")
    environ = {"XDG_CONFIG_HOME": str(folder)}
    if "environment" in given:
        environ[f"GIVEWAY_{key.upper()}"] = text["environment"]
    options = {key: text["option"] if "option" in given else None}
    value = resolve("x", "/", options, environ, system)[key]
    nearest = max(given, key=SOURCES.index, default="built in")
    assert (value.source, value.text) == (nearest, text.get(nearest, KEYS[key].built_in))


def test_the_variables_of_a_program_under_giveway_are_its_own() -> None:
    environ = {"GIVEWAY_CONFIG": "/dev/null", "GIVEWAY_PRIORITY": "5", "GIVEWAY_RUN": "1"}
    assert resolve("x", "/", {}, environ)["priority"].source == "built in"


def test_a_limit_of_memory_goes_on_to_programs_that_a_program_starts(write: Write) -> None:
    path = write("[defaults]\nmemory = '50%'\nreserve = '1GiB'\n")
    environ = {"GIVEWAY_CONFIG": str(path), "GIVEWAY_MEMORY": "1000", "GIVEWAY_RUN": "1"}
    values = resolve("x", "/", {}, environ)
    assert values["memory"] == Value("1000", "environment", "GIVEWAY_MEMORY")
    assert values["reserve"] == Value("1GiB", "file", f"{path}:3")


def test_memory_of_the_configuration_is_a_variable_of_the_program(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("[defaults]\nmemory = '50%'\nreserve = '1GiB'\npriority = 3\n")
    monkeypatch.setenv("GIVEWAY_CONFIG", str(path))
    monkeypatch.setenv("GIVEWAY_RESERVE", "0")
    monkeypatch.setenv("GIVEWAY_MEMORY", "")
    assert choose("x", None, {"share": "30"}) == (3, ["share=30"])
    assert (os.environ["GIVEWAY_MEMORY"], os.environ["GIVEWAY_RESERVE"]) == ("50%", "0")
    monkeypatch.setenv("GIVEWAY_MEMORY", "")
    assert choose("x", 5, {}, memory="1GiB") == (5, [])
    assert os.environ["GIVEWAY_MEMORY"] == ""


def test_parkable_of_the_configuration_is_a_variable_of_the_program(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_CONFIG", str(write("[defaults]\nparkable = true\n")))
    monkeypatch.setenv("GIVEWAY_PARKABLE", "")
    assert choose("x", None, {}) == (0, [])
    assert os.environ["GIVEWAY_PARKABLE"] == "1"
    monkeypatch.setenv("GIVEWAY_PARKABLE", "false")
    choose("x", None, {})
    assert os.environ["GIVEWAY_PARKABLE"] == "0"
    choose("x", None, {}, parkable=True)  # the program's environment has it
    assert os.environ["GIVEWAY_PARKABLE"] == "0"


def test_files_are_where_the_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    user = ("user", Path("/home/me/.config/giveway/config.toml"))
    assert files({}) == [("system", SYSTEM), user]
    assert files({"XDG_CONFIG_HOME": "relative"}) == [("system", SYSTEM), user]
    assert files({"XDG_CONFIG_HOME": "/x"})[1] == ("user", Path("/x/giveway/config.toml"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[defaults]\npriority = 5000\n", "2: priority: 5000 is not allowed; allowed: -1000 to"),
        ('[defaults]\npriority = "high"\n', "2: priority: 'high' is not allowed; allowed: -1000"),
        ("[defaults]\npriority = true\n", "2: priority: True is not allowed; allowed: -1000 to"),
        ("[defaults]\npriority = [1]\n", "2: priority: [1] is not allowed"),
        ('[defaults]\n\nslowdown = "-5%"\n', "3: slowdown: '-5%' is not allowed; allowed: a perc"),
        ("[defaults]\nslowdown = nan\n", "2: slowdown: nan is not allowed"),
        ("[defaults]\nmemory = 'much'\n", "2: memory: 'much' is not allowed; allowed: an amount"),
        ("[defaults]\nparkable = 5\n", "2: parkable: 5 is not allowed; allowed: true or false"),
        ("[defaults]\npriorty = 5\n", "2: priorty: unknown: did you mean 'priority'?"),
        ("[defaults]\nname = 'x'\n", "2: name: unknown: there are "),
        ("[default]\npriority = 5\n", "1: default: unknown: did you mean 'defaults'?"),
        ("priority = 5\n", "1: priority: unknown: there are defaults, program"),
        ("[program]\nname = 'x'\n", "1: program: {'name': 'x'} is not allowed; allowed: tables"),
        ("defaults = 5\n", "1: defaults: 5 is not allowed; allowed: a table"),
        ("[[program]]\n", "1: name or directory is required; for all programs, write [defaults]"),
        ("[[program]]\npriority = 1\n", "1: name or directory is required"),
        ("[[program]]\nname = ''\n", "2: name: '' is not allowed; allowed: a name, in which *"),
        ("[[program]]\nname = 3\n", "2: name: 3 is not allowed"),
        ("[[program]]\ndirectory = 'lab'\n", "2: directory: 'lab' is not allowed; allowed: an abs"),
        (
            "[[program]]\nname = 'x'\n[[program]]\nname = 'y'\nprioritty = 4\n",
            "5: prioritty: unknown: did you mean 'priority'?",
        ),
        ("[defaults\n", "1: not TOML: Expected ']' at the end of a table declaration"),
        ('x = """\na', "2: not TOML: Unterminated string"),
        ('[[program]]\ndirectory = "/a\\u0000b"\n', "2: directory: '/a\\x00b' is not allowed"),
        (f"x = {'9' * 5000}\n", "2: not TOML"),
        (f"x = {'[' * 5000}\n", "1: not TOML: nested too deeply"),
    ],
)
def test_a_mistake_has_file_line_key_and_what_is_allowed(
    write: Write, text: str, says: str
) -> None:
    path = write(text)
    with pytest.raises(UsageError) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}:{says}")


PIECES = st.sampled_from(
    [
        *("[defaults]", "[[program]]", "[program]", "[[defaults]]", "[defaults.priority]"),
        *('name = "x*"', 'name = "["', 'directory = "~"', 'directory = "~nobody/x"', "name = []"),
        *("priority = 1", "priority = -1e9", "priority = 1979-05-27", "priority = {a = 1}"),
        *('slowdown = "10%"', "slowdown = inf", 'slowdown = "٣"', "defaults = 1", "# é", "= 3"),
    ]
)


@settings(max_examples=200)
@given(pieces=st.lists(PIECES, max_size=8))
def test_whatever_is_in_a_file_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("\n".join(pieces))
    refused = ""
    try:
        entries = read(path)
    except UsageError as error:
        refused, entries = str(error), []
    assert not refused or (refused.startswith(f"{path}:") and "\n" not in refused)
    for entry in entries:
        entry.matches("x", "/")


def test_doctor_finds_a_mistake_in_each_file(write: Write, tmp_path: Path) -> None:
    user = write("[defaults]\npriority = 'high'\n", "giveway/config.toml")
    system = write("[defaults]\nslow = 1\n", "system.toml")
    found = list(problems({"XDG_CONFIG_HOME": str(tmp_path)}, system))
    assert [each.what.partition(": ")[0] for each in found] == [f"{system}:2", f"{user}:2"]
    assert list(problems({"XDG_CONFIG_HOME": "/none"}, tmp_path / "none.toml")) == []
    assert list(problems({"GIVEWAY_CONFIG": "/dev/null"})) == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot read the configuration {tmp_path}: Is a dir"):
        resolve("x", "/", {}, {"GIVEWAY_CONFIG": str(tmp_path)})
    missing = tmp_path / "none.toml"
    with pytest.raises(UsageError, match="No such file"):
        resolve("x", "/", {}, {"GIVEWAY_CONFIG": str(missing)})


@pytest.mark.parametrize(("name", "text"), [("PRIORITY", "high"), ("SLOWDOWN", "-5%")])
def test_a_wrong_variable_is_named(name: str, text: str) -> None:
    environ = {"GIVEWAY_CONFIG": "/dev/null", f"GIVEWAY_{name}": text}
    with pytest.raises(UsageError, match=f"GIVEWAY_{name} cannot be '{text}': allowed is"):
        resolve("x", "/", {}, environ)


def test_the_command_shows_values_and_their_sources(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("[[program]]\nname = 'train.py'\npriority = -10\n")
    monkeypatch.setenv("GIVEWAY_CONFIG", str(path))
    monkeypatch.setenv("GIVEWAY_SLOWDOWN", "10%")
    for arguments in (["config", "--", "python", "train.py"], ["config", "--name", "train.py"]):
        with pytest.raises(SystemExit):
            main(arguments)
        lines = capsys.readouterr().out.splitlines()
        assert lines[1].split(maxsplit=2) == ["priority", "-10", f"file, {path}:3"]
        assert lines[2].split(maxsplit=2) == ["slowdown", "10%", "environment, GIVEWAY_SLOWDOWN"]
        assert lines[-1] == f"file file  {path}"
    with pytest.raises(SystemExit):
        main(["config", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["settings"]["priority"] == {"value": "0", "source": "built in", "where": None}
    assert document["files"] == [{"source": "file", "path": str(path), "exists": True}]
