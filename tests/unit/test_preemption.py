"""How long programs take to give way, from samples of the gate page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from giveway.results.preemption import NEVER, UNKNOWN, UNRECORDED, Closing, Closings, latency
from giveway.sched.task import Task

LOW = Task(
    ticket=7, device="cpu", pid=1, name="low", priority=0, state="active", is_thread=False,
    launches=0, operators=0, holds=0, held_seconds=0.0, preemptions=3, joined_seconds=0.0,
    closed_seconds=1.0, stopped_seconds=1.1,
)  # fmt: skip


def closings(*samples: tuple[float, Task]) -> list[Closing]:
    found = Closings()
    for now, task in samples:
        found.update(now, [task])
    return found.found


def test_what_was_there_before_does_not_count() -> None:
    assert closings((5.0, LOW), (5.1, replace(LOW, state="held"))) == []


def test_a_closing_is_held_until_it_was_last_seen_so() -> None:
    closed = replace(LOW, state="held", preemptions=4, closed_seconds=5.0)
    done = replace(closed, stopped_seconds=5.002)
    open_again = replace(done, state="active")
    found = closings((4.9, LOW), (5.001, closed), (5.004, done), (5.005, open_again))
    assert found == [Closing(5.0, held=5.004, stopped=5.002)]


def test_the_last_thread_to_stop_counts() -> None:
    closed = replace(LOW, state="held", preemptions=4, closed_seconds=5.0, stopped_seconds=5.002)
    (found,) = closings(
        (4.9, LOW), (5.003, closed), (5.004, replace(closed, stopped_seconds=5.0035))
    )
    assert found.stopped == 5.0035


def test_a_time_of_an_earlier_closing_is_not_taken() -> None:
    (found,) = closings((4.9, LOW), (5.1, replace(LOW, preemptions=4, closed_seconds=5.0)))
    assert found.stopped is None


def test_a_task_that_became_active_again_was_not_preempted() -> None:
    closed = replace(LOW, state="held", preemptions=4, closed_seconds=5.0, stopped_seconds=5.002)
    again = replace(closed, closed_seconds=6.0, stopped_seconds=6.0)
    assert closings((4.9, LOW), (5.001, closed), (6.1, again)) == [Closing(5.0, 5.001, 5.002)]


def timeline(*found: tuple[float, float, float | None]) -> dict[str, Any]:
    return {"kind": "timeline", "mode": "giveway", "closings": {"low": list(map(list, found))}}


def test_latency() -> None:
    found = latency(
        [timeline((1.0, 2.0, 1.001), (3.0, 4.0, None)), timeline((1.0, 2.0, 1.004), (5, 6, 5.002))],
        "low",
    )
    assert found == {"value": 2.0, "longest": 4.0, "closings": 3, "reason": None}


def test_on_a_gpu_the_device_says_when_it_was_done() -> None:
    found = timeline(
        (1.0, 1.005, None),  # a kernel ran for another 0.3 ms, and the next began after the gate
        (2.0, 2.005, None),  # nothing ran
        (3.0, 3.005, None),  # one began behind the closed gate
        (4.0, 4.0, None),  # not seen held: what ran then may have been let through
    )
    work = [[0.9, 1.0003], [1.0051, 1.9], [2.95, 2.999], [3.002, 3.004], [3.9, 4.3]]
    assert latency([found | {"device": {"low": work}}], "low") == {
        "value": 0.3, "longest": 4.0, "closings": 3, "reason": None,
    }  # fmt: skip
    assert latency([found | {"device": {"high": work}}], "low")["reason"] == UNKNOWN


def test_no_latency_where_it_is_not_known() -> None:
    nothing = {"value": None, "longest": None, "closings": 0}
    assert latency([timeline((1.0, 2.0, None))], "low") == nothing | {"reason": UNKNOWN}
    assert latency([timeline()], "low") == nothing | {"reason": NEVER}
    assert latency([{"kind": "timeline", "mode": "giveway"}], "low") == nothing | {"reason": NEVER}
    assert latency([], "low") == nothing | {"reason": UNRECORDED}
