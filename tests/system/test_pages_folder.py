"""The folder of the gate pages, where it cannot be what its user has said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, UNPRIVILEGED, Runner
from tests.system.test_doctor_cli import doctor


def refusal(env: dict[str, str]) -> str:
    """The error of libgiveway for a program that opens the page; empty without an error."""
    code = "from giveway.page import Page; Page.open('cpu', create=True)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def test_doctor_and_programs_agree_about_the_folder(giveway: Runner, giveway_dir: Path) -> None:
    giveway_dir.mkdir()
    for mode, fine in [(0o755, True), (0o777, False), (0o770, False), (0o700, True)]:
        giveway_dir.chmod(mode)
        assert (doctor(giveway)[0] == 0) is fine
        assert (refusal({}) == "") is fine


def test_a_read_only_folder_is_not_well(giveway_dir: Path) -> None:
    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [*UNPRIVILEGED, GIVEWAY, *args]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    giveway_dir.mkdir(mode=0o500)
    done = run("doctor", "--json")
    (problem,) = json.loads(done.stdout)["problems"]
    assert done.returncode == 1
    assert problem["what"] == (
        f"{giveway_dir} is read-only: no page can be made there, and programs run ungated"
    )
    assert problem["do"].startswith(f"chmod 0700 {giveway_dir}, or set GIVEWAY_DIR")
    done = run("serve")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"giveway: {giveway_dir} cannot be used: Permission denied\n"
    giveway_dir.chmod(0o700)
    assert run("doctor").returncode == 0


def test_doctor_says_that_a_parent_is_missing(giveway: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "no" / "such" / "pages"
    env = {"GIVEWAY_DIR": str(folder)}
    assert "No such file or directory" in refusal(env)
    code, report = doctor(giveway, env=env)
    assert code == 1
    (problem,) = report["problems"]
    assert problem["what"] == f"{folder} cannot be made: {folder.parent} does not exist"
    assert os.system(problem["do"]) == 0
    assert (doctor(giveway, env=env)[0], refusal(env)) == (0, "")


def test_doctor_says_that_the_folder_cannot_be_made(giveway: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, report = doctor(giveway, env={"GIVEWAY_DIR": str(tmp_path / "file")})
    assert code == 1
    assert "not a folder" in report["problems"][0]["what"]


@pytest.mark.parametrize("length", [300, 5000])
def test_an_over_long_folder_is_said(giveway: Runner, tmp_path: Path, length: int) -> None:
    env = {"GIVEWAY_DIR": str(tmp_path / ("x" * length))}
    done = giveway("ps", env=env)
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert "File name too long" in line
    assert "priority" not in line
    code, report = doctor(giveway, env=env)
    assert code == 1
    assert "File name too long" in report["problems"][0]["what"]


def test_a_file_in_the_place_of_the_folder_is_3_and_one_line(
    giveway: Runner, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = giveway("ps", env={"GIVEWAY_DIR": str(tmp_path / "file")})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"giveway: {tmp_path / 'file'} cannot be read: Not a directory\n"


def test_a_relative_folder_is_where_run_was_started(giveway: Runner, tmp_path: Path) -> None:
    done = giveway(
        *("run", "--", "sh", "-c", "cd /; echo $GIVEWAY_DIR"),
        env={"GIVEWAY_DIR": "pages"},
        cwd=tmp_path,
    )
    assert done.stdout == f"{tmp_path}/pages\n"


def test_a_relative_folder_in_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", GIVEWAY, "run", "--", "true"],
        cwd=gone,
        env={**os.environ, "GIVEWAY_DIR": "pages"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "giveway: GIVEWAY_DIR is relative (pages), and the current folder was removed\n"
    )
