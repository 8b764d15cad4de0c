"""`giveway run` starts programs with the settings of configuration files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Runner

SHOW = 'echo "$GIVEWAY_PRIORITY $GIVEWAY_ATTRIBUTES"'


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration file, which is still missing."""
    if Path("/etc/giveway/config.toml").exists():
        pytest.skip("this machine has a configuration of its own")
    monkeypatch.delenv("GIVEWAY_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "giveway" / "config.toml"
    path.parent.mkdir()
    return path


def test_a_program_gets_the_settings_of_the_file(giveway: Runner, user_file: Path) -> None:
    user_file.write_text(
        f"[defaults]\npriority = 2\n[[program]]\nname = 'sh'\ndirectory = '{os.getcwd()}'\n"
        "priority = -10\nslowdown = '10%'\n"
    )
    done = giveway("run", "--device", "cpu", "--", "sh", "-c", SHOW)
    assert (done.stdout, done.stderr) == ("-10 slowdown=10\n", "")
    stated = ("--priority", "1", "--slowdown", "3%")
    done = giveway("run", "--device", "cpu", *stated, "--", "sh", "-c", SHOW)
    assert done.stdout == "1 slowdown=3\n"


def test_a_mistake_in_the_file_is_one_line_and_the_program_does_not_start(
    giveway: Runner, user_file: Path
) -> None:
    user_file.write_text("[defaults]\npriority = 'high'\n")
    done = giveway("run", "--device", "cpu", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"giveway: {user_file}:2: priority: 'high' is not allowed; allowed: -1000 to 1000\n"
    )
