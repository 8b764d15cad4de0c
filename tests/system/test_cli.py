"""The command line as a whole: help, version, start-up, errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, one_line

COMMANDS = ["run", "ps", "top", "set", "serve", "policy", "pause", "resume", "events", "doctor"]


def test_help_is_shown(giveway: Runner) -> None:
    done = giveway("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "giveway run --priority 10 -- python serve.py" in done.stdout


def test_the_version_is_said(giveway: Runner) -> None:
    assert giveway("--version").stdout == "giveway 0.1.0\n"


@pytest.mark.parametrize(
    "args", [["--version"], ["run", "--", "true"], ["ps"], ["run", "--help"], ["--help"]]
)
def test_little_is_imported_to_start(args: list[str]) -> None:
    # What it takes in milliseconds is the machine's; benchmarks/startup.py measures it.
    done = subprocess.run(
        [GIVEWAY, *args],
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert 20 < len(imported) < 190


INTERRUPTS = """
import os, signal, sys
os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize("command", [[GIVEWAY], [sys.executable, "-m", "giveway"]])
def test_ctrl_c_while_it_starts_is_no_traceback(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(INTERRUPTS)
    done = subprocess.run(
        [*command, "ps"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_heavy_packages_are_not_imported_for_nothing() -> None:
    code = (
        "import importlib, sys\n"
        f"for name in {[*COMMANDS, 'demo', 'trace']}:\n"
        "    importlib.import_module(f'giveway.cli.{name}')\n"
        "    heavy = ('torch', 'numpy', 'rich', 'psutil', 'matplotlib')\n"
        "    print(name, [m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} []" for name in (*COMMANDS, "demo", "trace")]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["sing"], "sing"),
        (["top", "--interval", "0"], "0 is not in 0.1…3600"),
        (["trace", "--perfetto", "-", "--", "true"], "--perfetto"),
        (["serve", "--metrics", ":9400"], "IP:PORT"),
    ],
)
def test_a_wrong_argument_is_one_line_and_2(giveway: Runner, args: list[str], says: str) -> None:
    done = giveway(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in one_line(done.stderr)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
@pytest.mark.parametrize("args", [["ps"], ["top"], ["doctor"], ["run", "--", "true"]])
def test_standard_streams_may_be_closed(args: list[str], closed: tuple[int, ...]) -> None:
    redirections = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirections}', "sh", GIVEWAY, *args],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_the_program_finds_closed_what_giveway_found_closed() -> None:
    code = "import os; os.fstat(0)"
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", GIVEWAY, "run", "--", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Bad file descriptor" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch, unbuffered: str) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [GIVEWAY, "doctor"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "giveway: No space left on device\n")


def test_no_argument_at_all_shows_the_help(giveway: Runner) -> None:
    done = giveway()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Examples:" in done.stderr


def test_a_reader_that_goes_away_is_not_an_error_message(giveway: Runner) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [GIVEWAY, "ps", "--json"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1


def test_an_error_keeps_its_exit_code_when_nobody_reads_the_output() -> None:
    code = (
        "import sys, click\n"
        "from giveway import cli\n"
        "def command(**options):\n"
        "    sys.stdout.write('output')\n"
        "    raise click.ClickException('no')\n"
        "cli.cli.main = command\n"
        "cli.main([])\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "giveway: no\n")


def test_without_a_page_there_is_nobody(giveway: Runner) -> None:
    done = giveway("ps")
    assert done.returncode == 0
    assert done.stdout.split() == [
        "DEVICE", "PID", "NAME", "PRIORITY", "STATE", "LAUNCHES", "HELD", "PREEMPTIONS", "GATE"
    ]  # fmt: skip
    assert "giveway run" in done.stderr
    assert json.loads(giveway("ps", "--json").stdout) == {
        "schema": 1,
        "tasks": [],
        "not_gated": [],
    }


def test_without_a_page_there_is_nothing_to_set(giveway: Runner) -> None:
    done = giveway("set", "1", "--priority", "1")
    assert (done.returncode, done.stdout) == (4, "")
    assert "process 1 has no task" in done.stderr
