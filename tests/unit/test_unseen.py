"""Idle tasks whose processes compute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from giveway.observe import unseen
from giveway.sched.task import Task

IDLE = Task(
    ticket=1,
    device="cpu",
    pid=10,
    name="compiled.py",
    priority=0,
    state="idle",
    is_thread=False,
    launches=5,
    operators=5,
    holds=0,
    held_seconds=0.0,
    preemptions=0,
    joined_seconds=0.0,
)


def find(before: Task, after: Task, used: tuple[float | None, float | None]) -> list[Task]:
    reads = iter([[before], [after]])
    clock: Iterator[float | None] = iter(used)
    return unseen.find(
        lambda: next(reads), lambda _pid: next(clock), lambda _seconds: None, lambda: 0.0
    )


def test_an_idle_task_whose_process_computes_is_not_shown_as_one_without_work() -> None:
    assert find(IDLE, IDLE, (1.0, 1.05)) == [replace(IDLE, unseen=True)]


@pytest.mark.parametrize("used", [(1.0, 1.005), (None, 1.05), (1.0, None)])
def test_an_idle_task_that_rests_is_idle(used: tuple[float | None, float | None]) -> None:
    assert find(IDLE, IDLE, used) == [IDLE]


@pytest.mark.parametrize(
    "after", [replace(IDLE, state="active"), replace(IDLE, launches=6), replace(IDLE, ticket=2)]
)
def test_a_task_that_launches_is_seen(after: Task) -> None:
    assert find(IDLE, after, (1.0, 1.05)) == [after]


@pytest.mark.parametrize(
    "task",
    [
        replace(IDLE, state="active"),
        replace(IDLE, state="held"),
        replace(IDLE, device="GPU-1"),
        replace(IDLE, is_thread=True),
    ],
)
def test_only_idle_tasks_of_processes_on_the_cpu_are_looked_at_twice(task: Task) -> None:
    reads = iter([[task]])
    assert unseen.find(lambda: next(reads)) == [task]
