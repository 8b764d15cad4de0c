"""`doctor` over pages and installations, good and spoilt."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import giveway as giveway_package
from tests.conftest import Runner, one_line
from tests.system.conftest import Regions


def doctor(giveway: Runner, **options: Any) -> tuple[int, dict[str, Any]]:
    done = giveway("doctor", "--json", **options)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_doctor_finds_all_well(giveway: Runner, regions: Regions, giveway_dir: Path) -> None:
    code, report = doctor(giveway)
    assert (code, report["ok"], report["problems"]) == (0, True, [])
    assert report["devices"][0]["pages"][0]["exists"] is False

    regions()
    code, report = doctor(giveway)
    assert (code, report["ok"], report["problems"]) == (0, True, [])
    (device,) = report["devices"]
    (page,) = device["pages"]
    assert (page["device"], page["path"]) == ("cpu", str(giveway_dir / "cpu.page"))
    assert (page["exists"], page["tasks"]) == (True, 1)
    assert (page["folder_mode"], page["mode"]) == ("0700", "0600")
    assert device["capabilities"]["launch_gate"]["supported"] is True
    assert device["capabilities"]["interrupt"]["supported"] is True
    for path in (report["library"], device["hook"]):
        assert ctypes.CDLL(path)
    assert "All is well." in giveway("doctor").stdout


def spoil_mode(page: Path) -> None:
    page.chmod(0o666)


def spoil_folder_mode(page: Path) -> None:
    page.parent.chmod(0o777)


def spoil_size(page: Path) -> None:
    os.truncate(page, 100)


def spoil_content(page: Path) -> None:
    page.write_bytes(os.urandom(page.stat().st_size))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (spoil_mode, "mode 0666"),
        (spoil_folder_mode, "mode 0777"),
        (spoil_size, "truncated"),
        (spoil_content, "damaged"),
    ],
)
def test_doctor_says_what_is_wrong_and_what_to_do(
    giveway: Runner,
    regions: Regions,
    giveway_dir: Path,
    spoil: Callable[[Path], None],
    what: str,
) -> None:
    process = regions()
    process.kill()
    process.wait()
    page = giveway_dir / "cpu.page"
    spoil(page)
    code, report = doctor(giveway)
    assert (code, report["ok"]) == (1, False)
    problem = report["problems"][0]
    assert what in problem["what"]
    assert str(giveway_dir) in problem["do"]
    assert problem["do"] in giveway("doctor").stdout

    # Doing it helps.
    assert os.system(problem["do"].split(": ")[0]) == 0
    assert doctor(giveway)[0] == 0


def test_doctor_names_a_page_of_another_version_while_it_is_in_use(
    giveway: Runner, regions: Regions, giveway_dir: Path
) -> None:
    process = regions()
    with open(giveway_dir / "cpu.page", "r+b") as page:
        page.seek(8)
        version = page.read(1)[0]
        page.seek(8)
        page.write(bytes([version + 1]))
    code, report = doctor(giveway)
    assert (code, report["ok"]) == (1, False)
    assert "version" in report["problems"][0]["what"]

    # Nobody's any more: it makes way.
    process.kill()
    process.wait()
    assert doctor(giveway)[0] == 0


def test_doctor_lets_a_page_in_use_alone(
    giveway: Runner, regions: Regions, giveway_dir: Path
) -> None:
    process = regions()
    with open(giveway_dir / "cpu.page", "r+b") as page:
        page.write(bytes(8))  # in place: a program keeps its map of the file
    code, report = doctor(giveway)
    assert code == 1
    (problem,) = report["problems"]
    assert "rm " not in problem["do"]
    assert f"end the programs that use it (processes {process.pid})" in problem["do"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file to another user")
def test_doctor_lets_a_page_of_another_user_alone(giveway: Runner, giveway_dir: Path) -> None:
    giveway_dir.mkdir(mode=0o700)
    (giveway_dir / "cpu.page").touch(mode=0o600)
    os.chown(giveway_dir / "cpu.page", 1, 1)
    code, report = doctor(giveway)
    (problem,) = report["problems"]
    assert (code, problem["do"]) == (1, "set GIVEWAY_DIR to a folder of yours")


def test_doctor_says_that_python_cannot_be_started(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.touch(mode=0o600)
    code = f"import sys; sys.executable = {str(python)!r}; from giveway.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["problems"][0]["what"] == (
        f"{python} cannot be started: Permission denied"
    )


def test_a_damaged_page_is_3_and_one_line(
    giveway: Runner, regions: Regions, giveway_dir: Path
) -> None:
    process = regions()
    process.kill()
    process.wait()
    spoil_content(giveway_dir / "cpu.page")
    for args in (["ps"], ["top"], ["set", "1", "--priority", "1"]):
        done = giveway(*args)
        assert (done.returncode, done.stdout) == (3, "")
        assert "cpu.page" in one_line(done.stderr)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A copy of the installed package, to be damaged."""
    shutil.copytree(Path(giveway_package.__file__).parent, tmp_path / "copy" / "giveway")
    return tmp_path / "copy" / "giveway"


def run_copy(package: Path, *args: str) -> subprocess.CompletedProcess[str]:
    code = f"from giveway.cli import main; main({list(args)!r})"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_missing_library_is_said_by_doctor(damaged: Path) -> None:
    assert run_copy(damaged, "doctor").returncode == 0
    (damaged / "lib" / "libgiveway.so").unlink()
    done = run_copy(damaged, "doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    said = [problem["what"] for problem in json.loads(done.stdout)["problems"]]
    assert [
        str(damaged / "lib" / name) in what
        for name, what in zip(("libgiveway.so", "libgiveway-cpu.so"), said, strict=True)
    ] == [True, True]
    done = run_copy(damaged, "ps")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (3, "", 1)


def test_a_missing_hook_is_said_by_run_and_doctor(damaged: Path) -> None:
    hook = damaged / "lib" / "libgiveway-cpu.so"
    hook.unlink()
    done = run_copy(damaged, "run", "--", "true")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line == f"giveway: {hook} is missing; reinstall giveway"
    done = run_copy(damaged, "doctor", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"] == [
        {"what": f"{hook} is missing", "do": "reinstall giveway"}
    ]
