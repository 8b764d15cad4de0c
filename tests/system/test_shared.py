"""`GIVEWAY_SHARED=GROUP`: users of one group share a page; everything else is one line."""

from __future__ import annotations

import grp
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner

GROUP, FIRST, SECOND, STRANGER = 61000, 61001, 61002, 61003
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two users")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, regions_program: str) -> Iterator[Path]:
    """A folder for every user, with the path of the shared pages in it, which are still missing."""
    top = Path(tempfile.mkdtemp(prefix="giveway-shared-"))
    top.chmod(0o777)
    shutil.copy(regions_program, top / "regions")
    monkeypatch.setenv("GIVEWAY_DIR", str(top / "pages"))
    monkeypatch.setenv("GIVEWAY_SHARED", str(GROUP))
    yield top
    shutil.rmtree(top)


def as_user(user: int) -> tuple[str, ...]:
    """The words that start a command as a user who may read all files, as giveway's may be in the
    home folder of root, and otherwise has that user's permissions only."""
    groups = ["--clear-groups"] if user == STRANGER else ["--groups", str(GROUP)]
    reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    return ("setpriv", f"--reuid={user}", f"--regid={user}", *groups, *reads, "--")


@pytest.fixture
def users() -> None:
    """Skips where no command can be started as another user."""
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv here")
    done = subprocess.run([*as_user(FIRST), GIVEWAY, "--version"], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"other users cannot run giveway here: {done.stderr.decode()}")


@pytest.fixture
def start(folder: Path, spawn: Spawner) -> Start:
    """Starts a busy program as a user, and waits for its first launch."""

    def start(user: int, *options: str) -> subprocess.Popen[str]:
        run = (GIVEWAY, "run", "--device", "cpu", *options, "--", str(folder / "regions"))
        process = spawn(*as_user(user), *run, cwd="/")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    return start


def run_as(user: int, *command: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*as_user(user), GIVEWAY, *command], capture_output=True, text=True, check=False, cwd="/"
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.usefixtures("users")
def test_users_of_one_group_share_and_others_are_told(start: Start, folder: Path) -> None:
    first = start(FIRST, "--priority", "5")
    second = start(SECOND, "--priority", "1")
    code, out, _ = run_as(SECOND, "ps", "--json")
    assert code == 0
    assert {task["pid"] for task in json.loads(out)["tasks"]} == {first.pid, second.pid}
    assert run_as(FIRST, "set", str(second.pid), "--priority", "9")[0] == 0
    code, out, _ = run_as(FIRST, "doctor", "--json")
    pages = json.loads(out)
    assert [problem for problem in pages["problems"] if str(folder) in problem["what"]] == []
    code, out, err = run_as(STRANGER, "run", "--", "echo", "started")
    assert (code, out) == (2, "")
    assert err == (
        f"giveway: GIVEWAY_SHARED={GROUP}: this user is not a member of that group (after usermod"
        " -a -G, log in again)\n"
    )


def test_an_unknown_group_is_one_line(
    giveway: Runner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_SHARED", "no-such-group")
    done = giveway("run", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "giveway: GIVEWAY_SHARED=no-such-group: this machine has no such group (getent group lists"
        " them)\n"
    )


def test_a_program_gets_the_number_of_the_group(
    giveway: Runner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_SHARED", grp.getgrgid(0).gr_name)
    done = giveway("run", "--device", "cpu", "--", "sh", "-c", "echo $GIVEWAY_SHARED")
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_wrong_permissions_are_one_line_and_doctor_says_what_to_do(
    giveway: Runner, folder: Path
) -> None:
    pages = folder / "pages"
    pages.mkdir(mode=0o700)
    done = giveway("run", "--device", "cpu", "--", str(folder / "regions"), "5")
    (line,) = done.stderr.splitlines()
    assert line.startswith("giveway: running ungated: the page directory is not of mode 2770")
    problems = json.loads(giveway("doctor", "--json").stdout)["problems"]
    (remedy,) = {each["do"] for each in problems if str(pages) in each["what"]}
    assert remedy == f"chgrp {GROUP} {pages} && chmod 2770 {pages}"
    subprocess.run(remedy, shell=True, check=True)
    assert giveway("doctor").returncode == 0


@pytest.mark.usefixtures("users")
def test_one_daemon_serves_all_and_obeys_its_own_user(folder: Path, spawn: Spawner) -> None:
    def serve(user: int) -> subprocess.Popen[str]:
        return spawn(*as_user(user), GIVEWAY, "serve", cwd="/", stderr=subprocess.STDOUT)

    def first_line(daemon: subprocess.Popen[str]) -> str:
        assert daemon.stdout is not None
        return daemon.stdout.readline()

    first = serve(FIRST)
    assert first_line(first).startswith("serving: policy priority")
    code, out, err = run_as(SECOND, "policy", "fair")
    assert (code, out) == (7, "")
    assert err == f"giveway: the daemon in {folder}/pages does not answer: Permission denied\n"
    second = serve(SECOND)
    assert first_line(second).startswith("giveway: a daemon runs already")
    assert second.wait() == 7
    first.terminate()
    first.wait()
    assert first_line(serve(SECOND)).startswith("serving: policy priority")
