"""Which task `giveway set` and `pause` mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from giveway.errors import NoSuchTaskError, UsageError
from giveway.observe.select import choose
from giveway.sched.task import Task

OWN = Task(
    ticket=1,
    device="cpu",
    pid=10,
    name="serve.py",
    priority=0,
    state="idle",
    is_thread=False,
    launches=0,
    operators=0,
    holds=0,
    held_seconds=0.0,
    preemptions=0,
    joined_seconds=0.0,
)
LOADER = replace(OWN, ticket=2, name="loader", is_thread=True)
FETCHER = replace(OWN, ticket=3, name="fetcher", is_thread=True)
OTHER = replace(OWN, ticket=4, pid=11)


def test_the_processs_own_task_is_meant() -> None:
    assert choose([OTHER, LOADER, OWN], 10, None) is OWN


def test_a_thread_is_meant_by_its_name() -> None:
    assert choose([OTHER, LOADER, FETCHER, OWN], 10, "loader") is LOADER


def test_the_only_thread_is_meant_without_one() -> None:
    assert choose([LOADER, OTHER], 10, None) is LOADER


@pytest.mark.parametrize(("pid", "name"), [(12, None), (11, "loader"), (10, "Loader")])
def test_nobody_is_meant(pid: int, name: str | None) -> None:
    with pytest.raises(NoSuchTaskError, match=str(pid)):
        choose([OWN, LOADER, OTHER], pid, name)


@pytest.mark.parametrize(
    ("tasks", "name"),
    [
        ([LOADER, FETCHER], None),
        ([LOADER, replace(LOADER, ticket=5)], "loader"),
        ([OWN, replace(OWN, ticket=6, device="gpu")], None),
    ],
)
def test_several_are_meant(tasks: list[Task], name: str | None) -> None:
    with pytest.raises(UsageError, match="several"):
        choose(tasks, 10, name)
