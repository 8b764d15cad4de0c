"""What observers say where there is nobody to read, nothing to see, or no permission."""

from __future__ import annotations

import getpass
import os
import subprocess
import tempfile

import pytest

from tests.conftest import GIVEWAY, Runner

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
TOP = ("top", "--csv", "--interval", "0.1")


@pytest.mark.parametrize("command", [("ps", "--csv"), TOP, ("metrics",)])
def test_a_reader_that_goes_away_ends_the_command(command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [GIVEWAY, *command], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (("ps", "--csv"), 0, ""),
        ((*TOP, "--count", "1"), 0, ""),
        (("metrics",), 0, ""),
        (("events",), 7, "giveway: no daemon runs: start one with giveway serve\n"),
    ],
)
def test_without_a_page_there_is_nothing(
    giveway: Runner, command: tuple[str, ...], code: int, says: str
) -> None:
    done = giveway(*command)
    assert (done.returncode, done.stderr) == (code, says)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
@pytest.mark.parametrize(
    ("command", "code"), [(("ps",), 3), (TOP, 3), (("metrics",), 3), (("events",), 7)]
)
def test_the_pages_of_another_user_are_a_line(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], code: int
) -> None:
    if subprocess.run([*NOBODY, GIVEWAY, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("another user cannot start this giveway")
    # Not below pytest's own folder, which another user may not enter.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("GIVEWAY_DIR", folder)
        command = (*NOBODY, GIVEWAY, *command)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    said = {
        3: f"{folder} cannot be read: Permission denied; it belongs to {getpass.getuser()}",
        7: f"the daemon in {folder} does not answer: Permission denied",
    }
    assert done.stderr == f"giveway: {said[code]}\n"
