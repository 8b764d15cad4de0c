"""What `top` works out from two looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from giveway.cli.live.rates import SORTS, Rates
from giveway.sched.task import Task

TASK = Task(
    ticket=1,
    device="cpu",
    pid=10,
    name="b",
    priority=0,
    state="active",
    is_thread=False,
    launches=100,
    operators=0,
    holds=0,
    held_seconds=1.0,
    preemptions=0,
    joined_seconds=0.0,
)


def test_rates_are_what_happened_since_the_last_look() -> None:
    rates = Rates()
    rates.update([TASK], now=50.0)
    assert [(rate.launches, rate.held) for rate in rates.rows("p")] == [(0.0, 0.0)]
    rates.update([replace(TASK, launches=160, held_seconds=1.5)], now=52.0)
    assert [(rate.launches, rate.held) for rate in rates.rows("p")] == [(30.0, 0.25)]


def test_a_new_task_in_an_old_row_starts_anew() -> None:
    rates = Rates()
    rates.update([TASK], now=50.0)
    rates.update([replace(TASK, ticket=2, launches=5)], now=51.0)
    assert [rate.launches for rate in rates.rows("p")] == [0.0]


@pytest.mark.parametrize(
    ("order", "pids"), [("p", "312"), ("l", "231"), ("h", "123"), ("n", "321")]
)
def test_every_sort_key_sorts(order: str, pids: str) -> None:
    first = [
        replace(TASK, ticket=1, pid=1, name="c", priority=1),
        replace(TASK, ticket=2, pid=2, name="b", priority=0),
        replace(TASK, ticket=3, pid=3, name="a", priority=2),
    ]
    then = [
        replace(first[0], launches=101, held_seconds=1.9),
        replace(first[1], launches=109, held_seconds=1.5),
        replace(first[2], launches=105, held_seconds=1.1),
    ]
    rates = Rates()
    rates.update(first, now=1.0)
    rates.update(then, now=2.0)
    assert order in SORTS
    assert "".join(str(rate.task.pid) for rate in rates.rows(order)) == pids


def test_a_task_that_was_not_seen_again_keeps_its_rates() -> None:
    key = (TASK.device, TASK.ticket)
    rates = Rates()
    rates.update([TASK], now=50.0, at={key: 50.0})
    rates.update([replace(TASK, launches=160)], now=52.0, at={key: 52.0})
    rates.update([replace(TASK, launches=160)], now=53.0, at={key: 52.0})
    assert [rate.launches for rate in rates.rows("p")] == [30.0]
    rates.update([replace(TASK, launches=200)], now=54.0, at={key: 54.0})
    assert [rate.launches for rate in rates.rows("p")] == [20.0]
