"""Arguments of the command line: help, checks and errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from giveway.cli import main
from giveway.cli.parts.tasks import FIELDS

COMMANDS = ["run", "ps", "top", "set", "serve", "policy", "pause", "resume", "events", "doctor"]
COMMANDS += ["config", "mps", "park", "unpark"]

SCENARIO = """
[simulation]
duration = "600ms"
warm = "100ms"
[[program]]
name = "train"
arrivals = "saturating"
launches = 50
launch = "200us"
"""


class Said(NamedTuple):
    code: int
    stdout: str
    stderr: str


Command = Callable[..., Said]


@pytest.fixture
def giveway(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``giveway ARGS…`` in this process."""

    def run(*args: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(args)
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.toml").write_text(SCENARIO)
    (tmp_path / "mine.py").write_text("\nno TOML\n")
    monkeypatch.chdir(tmp_path)


def one_line(said: Said) -> str:
    """The only line on stderr, which must be giveway's."""
    (line,) = said.stderr.splitlines()
    assert line.startswith("giveway: ")
    return line


def test_help_teaches(giveway: Command) -> None:
    done = giveway("--help")
    assert done.code == 0
    assert "giveway run --priority 10 -- python serve.py" in done.stdout
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(giveway: Command, name: str) -> None:
    done = giveway(name, "--help")
    assert done.code == 0
    assert "Options:" in done.stdout
    assert name == "top" or f"giveway {name}" in done.stdout.split("\n", 1)[1]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_a_narrow_terminal(
    giveway: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    args = (*filter(None, [name]), "--help")
    monkeypatch.setenv("COLUMNS", "40")
    narrow = giveway(*args).stdout
    assert max(map(len, narrow.splitlines())) <= 40
    monkeypatch.setenv("COLUMNS", "100")
    assert narrow.split() == giveway(*args).stdout.split()  # nothing is cut off


def test_rows_of_a_table_fold_within_their_last_column(
    giveway: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = giveway("ps", "--help").stdout.splitlines()
    first = next(line for line in lines if "not gated  " in line)
    second = lines[lines.index(first) + 1]
    assert len(second) - len(second.lstrip()) == first.index("runs under giveway")


@pytest.mark.parametrize(
    "args",
    [
        ["--loud"],
        ["sing"],
        ["doctor", "--library"],
        ["doctor", "--library", ""],
        ["demo", "--seconds", "2"],
        ["demo", "--seconds", "inf"],
        ["demo", "--seconds", "nan"],
        ["ps", "--device", "gpu9"],
        ["ps", "extra"],
        ["run"],
        ["run", "--"],
        ["run", "--device", "gpu9", "--", "true"],
        ["run", "--name", "", "--", "true"],
        ["run", "--name", "two\nlines", "--", "true"],
        ["run", "--no-such-option", "--", "true"],
        ["run", "--priority", "-1001", "--", "true"],
        ["run", "--priority", "1001", "--", "true"],
        ["run", "--priority", "high", "--", "true"],
        ["run", "--priority", "nan", "--", "true"],
        ["set"],
        ["set", "0", "--priority", "1"],
        ["set", "1"],
        ["set", "1", "--priority", "-1001"],
        ["set", "1", "--priority", "1", "--device", "gpu9"],
        ["set", "1", "--priority", "1.5"],
        ["set", "1", "--priority", "1001"],
        ["set", "abc", "--priority", "1"],
        ["top", "--interval", "0"],
        ["top", "--interval", "inf"],
        ["top", "--interval", "nan"],
        ["top", "--interval", "never"],
        ["top", "--count", "2"],
        ["top", "--csv", "--ray"],
        ["top", "--csv", "--count", "0"],
        ["ps", "--json", "--csv"],
        ["ps", "--json", "--format", "pid"],
        ["ps", "--format", ""],
        ["trace"],
    ],
)
def test_a_wrong_argument_is_one_line_and_2(giveway: Command, args: list[str]) -> None:
    done = giveway(*args)
    assert (done.code, done.stdout) == (2, "")
    assert "range" not in one_line(done)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["set", "1", "--priority", "1.5"], "'1.5' is not a whole number"),
        (["set", "1", "--priority", "1001"], "1001 is not in -1000…1000"),
        (["set", "0", "--priority", "1"], "0 is not 1 or more"),
        (["top", "--interval", "nan"], "nan is not in 0.1…3600"),
        (
            ["ps", "--format", "pid,nmae"],
            f"no column 'nmae'; there are {', '.join(field.name for field in FIELDS)}",
        ),
        (["demo", "--seconds", "inf"], "inf is too long"),
        (["demo", "--seconds", "long"], "'long' is not a number"),
        (["trace"], "use giveway trace [OPTIONS] -- CMD [ARGS]"),
        (["rnu"], "no command 'rnu': did you mean 'run'?"),
        (["mps", "now"], "no command 'now': there are start, status, stop"),
        (["set"], "Missing argument 'PID'; see giveway set --help"),
        (["ps", "extra"], "(extra); see giveway ps --help"),
        (["ps", "--loud"], "No such option '--loud'; see giveway ps --help"),
        (["set", "1", "--priorty"], "No such option '--priorty'. Did you mean '--priority'?"),
    ],
)
def test_a_wrong_argument_is_said_in_words(giveway: Command, args: list[str], says: str) -> None:
    assert giveway(*args).stderr.endswith(f"{says}\n")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["serve", "--policy", "fare"], "did you mean 'fair'?"),
        (["serve", "--policy", "rr,slize=2ms"], "did you mean 'slice'?"),
        (["serve", "--policy", "no.such.module:Policy"], "cannot import"),
        (["run", "--deadline", "20msec", "--", "true"], "did you mean 'ms'?"),
        (["run", "--share", "130", "--", "true"], "share cannot be '130'"),
        (["run", "--slowdown", "-5%", "--", "true"], "slowdown cannot be '-5%'"),
        (["run", "--slowdown", "200x", "--", "true"], "slowdown cannot be '200x'"),
        (["set", "1", "--slowdown", "200x"], "slowdown cannot be '200x'"),
        (["set", "1", "slowdown=much"], "slowdown cannot be 'much'"),
        (["run", "--group", "a b", "--", "true"], "without spaces"),
        (["set", "1"], "nothing to set"),
        (["set", "1", "dedline=20ms"], "did you mean 'deadline'?"),
        (["set", "1", "deadline=20"], "has no unit"),
        (["set", "1", "deadline"], "has no value"),
    ],
)
def test_a_mistake_is_one_line_with_the_right_name(
    giveway: Command, args: list[str], words: str
) -> None:
    done = giveway(*args)
    assert (done.code, done.stdout) == (2, "")
    assert words in one_line(done)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["s.toml", "-p", "priorty"], "did you mean 'priority'?"),
        (["s.toml", "-p", "edf,k=0"], "k of policy edf cannot be 0"),
        (["none.toml"], "cannot read the scenario none.toml"),
        (["nobody"], "no scenario 'nobody': there are decode, "),
        (["."], ". has no result of giveway bench"),
        (["mine.py"], "mine.py:2: not TOML"),
        (["s.toml", "--span", "5"], "no unit"),
        (["s.toml", "--duration", "50ms"], "not longer than the warm-up"),
        (["s.toml", "--seed", "-1"], "--seed"),
        (["s.toml", "--plot", "no/such/folder.svg"], "no/such/folder.svg"),
        (["s.toml", "--placement", "best"], "best"),
    ],
)
@pytest.mark.usefixtures("scenario")
def test_a_mistake_about_a_simulation_is_one_line(
    giveway: Command, args: list[str], words: str
) -> None:
    done = giveway("simulate", *args)
    assert (done.code, done.stdout) == (2, "")
    assert words in one_line(done)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["duel"], "no scenario 'duel'"),
        (["dual", "--modes", "alone,together"], "unknown mode 'together': there are alone, native"),
        (["dual", "--device", "nope"], "nope"),
        (["dual", "dual"], "two scenarios have the same name: dual, dual"),
        (["dual", "--seconds", "0"], "0"),
        (["dual", "--modes", "giveway 110%"], "unknown mode 'giveway 110%': there are alone, "),
        (["dual", "--load", "0.5,1.5"], "--load: '1.5' is not a share above 0 and below 1"),
        (["starve", "--load", "0.5"], "its urgent program high is saturating, and has no rate"),
        (["none.toml"], "cannot read the scenario none.toml"),
    ],
)
def test_a_mistake_about_a_bench_is_one_line(
    giveway: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = giveway("bench", *options)
    assert (done.code, done.stdout) == (2, "")
    assert says in one_line(done)
    assert not list(tmp_path.iterdir())
