"""`ps`, `set` and `doctor` on real programs and real pages."""

from __future__ import annotations

import ctypes
import getpass
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
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions
from tests.system.watching import goes_on, stands_still, task_of
from tests.waiting import eventually


def ps(giveway: Runner) -> dict[str, Any]:
    done = giveway("ps", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def task(giveway: Runner, pid: int) -> dict[str, Any]:
    (found,) = (task for task in ps(giveway)["tasks"] if task["pid"] == pid)
    return dict(found)


def test_ps_shows_who_runs_and_who_is_held(
    giveway: Runner, regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")  # no turns
    low = regions("--name", "low").pid
    high = regions("--name", "high", "--priority", "10").pid
    assert eventually(lambda: task_of(low).held_seconds > 0.5)
    assert goes_on(high)
    # Where the machine stalls the urgent one between two launches, it is idle.
    assert eventually(
        lambda: (task(giveway, high)["state"], task(giveway, low)["state"]) == ("active", "held")
    )
    shown = task(giveway, high)
    assert (shown["name"], shown["priority"], shown["is_thread"]) == ("high", 10, False)
    assert (shown["held_seconds"], shown["preemptions"]) == (0, 0)
    assert shown["launches"] > 20
    shown = task(giveway, low)
    assert (shown["name"], shown["priority"], shown["is_thread"]) == ("low", 0, False)
    assert shown["held_seconds"] > 0.5
    assert shown["preemptions"] >= 1

    header, first, second = giveway("ps").stdout.splitlines()
    user = getpass.getuser()
    assert first.split()[:5] == ["cpu", str(high), user, "high", "10"]
    assert first.split()[5] in ("active", "idle")
    assert second.split()[:5] == ["cpu", str(low), user, "low", "0"]
    assert first.endswith("/regions")  # the command
    # Right-aligned: numbers end where their title ends.
    end = header.index("PRIORITY") + len("PRIORITY")
    assert (first[end - 2 : end], second[end - 2 : end]) == ("10", " 0")


def test_ps_forgets_a_program_that_has_ended(giveway: Runner, regions: Regions) -> None:
    process = regions()
    assert task(giveway, process.pid)
    process.kill()
    process.wait()
    assert ps(giveway)["tasks"] == []


def test_ps_lists_the_programs_that_are_not_gated(giveway: Runner, spawn: Spawner) -> None:
    process = spawn(GIVEWAY, "run", "--name", "sleeper", "--", "sh", "-c", "echo; sleep 60; true")
    assert process.stdout is not None
    process.stdout.readline()
    sleeper = {"pid": process.pid, "name": "sleeper", "device": "cpu", "why": None}
    assert sleeper in ps(giveway)["not_gated"]
    line = next(line for line in giveway("ps").stdout.splitlines() if "sleeper" in line)
    assert "not gated" in line


def test_a_name_cannot_act_on_the_terminal(
    giveway: Runner, spawn: Spawner, regions_program: str
) -> None:
    name = "\x1b[2J\nroot\x9b"
    code = f"GIVEWAY_NAME=$(printf '\\033[2J\\nroot\\302\\233') exec {regions_program}"
    process = spawn(GIVEWAY, "run", "--", "sh", "-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    (found,) = ps(giveway)["tasks"]
    assert found["name"] == name
    for command in (["ps"], ["top"], ["set", str(process.pid), "share=5"]):
        done = giveway(*command)
        assert done.returncode == 0
        assert r"\x1b[2J\nroot\x9b" in done.stdout
        assert all(line.isprintable() for line in done.stdout.splitlines())


def test_ps_leaves_out_what_has_other_gate_pages(
    giveway: Runner, spawn: Spawner, tmp_path: Path
) -> None:
    program = ("sh", "-c", "echo; sleep 60; true")
    env = {"GIVEWAY_DIR": str(tmp_path / "other")}
    process = spawn(GIVEWAY, "run", "--", *program, env=env)
    assert process.stdout is not None
    process.stdout.readline()
    assert ps(giveway)["not_gated"] == []
    assert giveway("ps", env=env).stdout.count("not gated") == 1


def test_a_program_is_gated_when_its_child_is(
    giveway: Runner, spawn: Spawner, regions_program: str
) -> None:
    process = spawn(GIVEWAY, "run", "--", "sh", "-c", f"{regions_program}; true")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    document = ps(giveway)
    (child,) = document["tasks"]
    assert child["pid"] != process.pid
    assert process.pid not in [other["pid"] for other in document["not_gated"]]


def test_set_changes_who_is_held(
    giveway: Runner, regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")  # no turns
    first, second = regions("--priority", "1").pid, regions("--priority", "2").pid
    assert eventually(lambda: stands_still(first, second))
    done = giveway("set", str(first), "--priority", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"regions ({first}): priority 1 → 3\n"
    assert eventually(lambda: stands_still(second, first))
    assert task(giveway, first)["priority"] == 3


@pytest.mark.parametrize("options", [[], ["--name", "nobody"]])
def test_set_says_that_there_is_no_such_task(
    giveway: Runner, regions: Regions, options: list[str]
) -> None:
    process = regions("--name", "somebody")
    pid = process.pid if options else os.getpid()
    done = giveway("set", str(pid), "--priority", "3", *options)
    assert (done.returncode, done.stdout) == (4, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"giveway: process {pid} has no task")


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


# Permissions bind root too, once it has no capabilities.
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


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


def test_a_file_in_the_place_of_the_folder_is_3_and_one_line(
    giveway: Runner, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = giveway("ps", env={"GIVEWAY_DIR": str(tmp_path / "file")})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"giveway: {tmp_path / 'file'} cannot be read: Not a directory\n"


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


def test_doctor_says_that_the_folder_cannot_be_made(giveway: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, report = doctor(giveway, env={"GIVEWAY_DIR": str(tmp_path / "file")})
    assert code == 1
    assert "not a folder" in report["problems"][0]["what"]


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
        (line,) = done.stderr.splitlines()
        assert line.startswith("giveway: ")
        assert "cpu.page" in line


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
