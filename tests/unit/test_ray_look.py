"""What a node says of its tasks, where it cannot know whose process one is."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from giveway import api
from giveway.observe import tasks
from giveway.ray import look as looking
from giveway.sched.task import Task


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    """A task of this process, where all processes were started by this node's raylet."""
    monkeypatch.setattr(looking, "_is_mine", lambda _pid: True)
    with warnings.catch_warnings(action="ignore"), api.task(3, "ray", device="cpu") as task:
        assert task is not None
        yield task


def looked(monkeypatch: pytest.MonkeyPatch, task: Task) -> dict[str, Any]:
    """What is said where this is the one task."""
    monkeypatch.setattr(tasks, "snapshot", lambda: ([task], []))
    (row,) = looking.look()["tasks"]
    return dict(row)


def test_a_task_of_a_process_here_is_the_nodes(monkeypatch: pytest.MonkeyPatch, task: Task) -> None:
    assert looked(monkeypatch, task)["mine"]


def test_a_process_that_merely_has_the_number_of_a_task_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    monkeypatch.setattr(looking, "_title", lambda _pid: "ray::Stranger")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        row = looked(monkeypatch, replace(task, pid=other.pid))
        assert (row["mine"], row["name"]) == (False, "ray")
    finally:
        other.communicate(b"\n")


def test_a_process_in_another_namespace_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    real = looking._file
    monkeypatch.setattr(
        looking, "_file", lambda path: "mine" if "self" in str(path) else real(path)
    )
    assert not looked(monkeypatch, task)["mine"]
