"""Programs in containers: what matters to giveway is whether they share the folder of the pages."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from giveway.observe import tasks as observe
from giveway.sched.task import Task
from tests.conftest import GIVEWAY, Spawner
from tests.system.conftest import Regions
from tests.waiting import eventually

CONTAINER = ("unshare", "--map-root-user", "--mount-proc", "--pid", "--ipc", "--fork")
"""Namespaces of its own for processes, mounts and shared memory, as a container has them."""


@pytest.fixture
def container(spawn: Spawner, regions_program: str) -> subprocess.Popen[str]:
    """An urgent busy program, with a number of its own for itself, on the test's gate pages."""
    if shutil.which("unshare") is None or subprocess.run([*CONTAINER, "true"]).returncode:
        pytest.skip("no namespaces can be made here")
    command = (GIVEWAY, "run", "--priority", "10", "--name", "inside", "--", regions_program)
    process = spawn(*CONTAINER, "--kill-child", *command)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def tasks() -> dict[str, Task]:
    return {task.name: task for task in observe.read()}


def wait_until(what: str, state: str) -> Task:
    until = time.monotonic() + 20
    while tasks()[what].state != state:
        assert time.monotonic() < until, tasks()
        time.sleep(0.01)
    return tasks()[what]


def test_a_program_in_another_pid_namespace_is_given_way_to(
    regions: Regions, container: subprocess.Popen[str]
) -> None:
    regions("--name", "outside")
    wait_until("outside", "held")
    assert tasks()["inside"].pid == 1


def test_when_it_is_killed_it_holds_nobody(
    regions: Regions, container: subprocess.Popen[str]
) -> None:
    regions("--name", "outside")
    before = wait_until("outside", "held").launches
    os.killpg(container.pid, signal.SIGKILL)
    container.wait()
    wait_until("outside", "active")
    assert eventually(lambda: tasks()["outside"].launches > before + 20)
    assert "inside" not in tasks()


def test_with_a_folder_of_its_own_it_shares_nothing(
    regions: Regions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    regions("--name", "outside")
    with monkeypatch.context() as inside:
        inside.setenv("GIVEWAY_DIR", str(tmp_path / "own"))
        regions("--name", "inside", "--priority", "10")
    time.sleep(0.2)
    assert tasks().keys() == {"outside"}
    assert tasks()["outside"].holds == 0
