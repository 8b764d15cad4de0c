"""The tasks that a node reports, where another process may have the pid of a task."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from giveway import api
from giveway.observe import tasks
from giveway.ray import node
from giveway.sched.task import Task


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    """A task of this process, where all processes were started by this node's raylet."""
    monkeypatch.setattr(node, "_is_mine", lambda _pid: True)
    with warnings.catch_warnings(action="ignore"), api.task(3, "ray", device="cpu") as task:
        assert task is not None
        yield task


def looked(monkeypatch: pytest.MonkeyPatch, task: Task) -> dict[str, Any]:
    """The node's report, where this is the only task."""
    monkeypatch.setattr(tasks, "snapshot", lambda: ([task], []))
    (row,) = node.read_tasks()["tasks"]
    return dict(row)


def test_a_task_of_a_process_here_is_the_nodes(monkeypatch: pytest.MonkeyPatch, task: Task) -> None:
    assert looked(monkeypatch, task)["mine"]


def test_a_process_that_merely_has_the_number_of_a_task_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    monkeypatch.setattr(node, "_title", lambda _pid: "ray::Stranger")
    assert looked(monkeypatch, task)["name"] == "ray::Stranger"
    row = looked(monkeypatch, replace(task, pid_namespace=task.pid_namespace + 1))
    assert (row["mine"], row["name"]) == (False, "ray")
