"""Programs in containers share a device if they share the folder of the gate pages."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions
from tests.system.watching import goes_on, stands_still, tasks
from tests.waiting import eventually

CONTAINER = ("unshare", "--map-root-user", "--mount-proc", "--pid", "--ipc", "--fork")
"""Namespaces of its own for processes, mounts and shared memory, as a container has them."""


Container = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def container(spawn: Spawner, regions_program: str) -> Container:
    """Starts an urgent busy program, number 1 to itself, on the test's gate pages."""
    if shutil.which("unshare") is None or subprocess.run([*CONTAINER, "true"]).returncode:
        pytest.skip("no namespaces can be made here")

    def start() -> subprocess.Popen[str]:
        command = (GIVEWAY, "run", "--priority", "10", "--name", "inside", "--", regions_program)
        process = spawn(*CONTAINER, "--kill-child", *command)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    return start


def becomes(name: str, state: str) -> bool:
    return eventually(lambda: tasks()[name].state == state)


def test_a_program_in_another_pid_namespace_is_given_way_to(
    giveway: Runner, regions: Regions, container: Container, regions_program: str
) -> None:
    regions("--name", "outside")
    container()
    assert becomes("outside", "held")
    assert tasks()["inside"].pid == 1
    listed = giveway("ps", "--csv", "--format", "name,pid,user,command").stdout.splitlines()
    (inside,) = (line for line in listed if line.startswith("inside,"))
    assert inside == f"inside,1,{getpass.getuser()},{regions_program}"


def test_when_it_is_killed_it_holds_nobody(
    regions: Regions, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")  # no turns
    outside, inside = regions("--name", "outside").pid, container()
    assert becomes("outside", "held")
    os.killpg(inside.pid, signal.SIGKILL)
    inside.wait()
    assert goes_on(outside)
    assert "inside" not in tasks()


def test_with_a_folder_of_its_own_it_shares_nothing(
    regions: Regions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = regions("--name", "outside").pid
    with monkeypatch.context() as inside:
        inside.setenv("GIVEWAY_DIR", str(tmp_path / "own"))
        assert goes_on(regions("--name", "inside", "--priority", "10").pid)
        assert tasks().keys() == {"inside"}
    assert goes_on(outside)
    assert tasks().keys() == {"outside"}
    assert tasks()["outside"].holds == 0


@pytest.fixture
def later_clock() -> tuple[str, ...]:
    """Starts a program in a time namespace in which the machine has run for a day longer."""
    command = ("unshare", "--map-root-user", "--time", "--fork", "--monotonic", "86400")
    if shutil.which("unshare") is None or subprocess.run([*command, "true"]).returncode:
        pytest.skip("no time namespaces can be made here")
    return (*command, "--kill-child")


def test_a_program_in_another_time_namespace_is_given_way_to(
    regions: Regions,
    spawn: Spawner,
    regions_program: str,
    later_clock: tuple[str, ...],
) -> None:
    outside = regions("--name", "outside").pid
    command = (GIVEWAY, "run", "--priority", "10", "--name", "inside", "--", regions_program)
    inside = spawn(*later_clock, *command)
    assert inside.stdout is not None
    assert inside.stdout.readline() == "ready\n"
    assert becomes("outside", "held")
    inside_pid = tasks()["inside"].pid
    assert eventually(lambda: stands_still(outside, inside_pid), 120)
    assert abs(tasks()["inside"].joined_seconds - tasks()["outside"].joined_seconds) < 3600


def test_and_gives_way_itself(
    regions: Regions, spawn: Spawner, regions_program: str, later_clock: tuple[str, ...]
) -> None:
    inside = spawn(*later_clock, GIVEWAY, "run", "--name", "inside", "--", regions_program)
    assert inside.stdout is not None
    assert inside.stdout.readline() == "ready\n"
    outside = regions("--name", "outside", "--priority", "10").pid
    assert becomes("inside", "held")
    inside_pid = tasks()["inside"].pid
    assert eventually(lambda: stands_still(inside_pid, outside), 120)
