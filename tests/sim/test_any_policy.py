"""Properties that hold for every policy and every sequence of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from giveway.sched.policies import registry
from giveway.sched.scheduler import Answer, Scheduler
from giveway.sched.task import Active, Attributes, Changed, Event, Idle, Joined, Left, TaskId, Tick

MS = 1_000_000
IDS = [TaskId(device, ticket) for device in ("d0", "d1") for ticket in (1, 2, 3)]
PIDS = {id_: 10 + id_.ticket % 3 for id_ in IDS}  # processes on both devices

ATTRIBUTES = st.builds(
    Attributes,
    priority=st.integers(-3, 3),
    weight=st.floats(0.01, 100),
    share=st.none() | st.floats(0.5, 100),
    deadline_ns=st.none() | st.integers(1, 50 * MS),
    laxity_ns=st.none() | st.integers(0, 50 * MS),
    slice_ns=st.none() | st.integers(100_000, 20 * MS),
    nice=st.integers(-20, 19),
    group=st.sampled_from(["", "a", "b"]),
    focused=st.booleans(),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "active", "idle", "change", "tick", "switch"]),
        st.sampled_from(IDS),
        ATTRIBUTES,
        st.sampled_from([0, 1, 70_000, 2 * MS, 7 * MS, 120 * MS]),
    ),
    max_size=60,
)


def event_of(what: str, id_: TaskId, attributes: Attributes, scheduler: Scheduler) -> Event | None:
    """The event, if it is possible in this state."""
    if what == "join":
        return None if id_ in scheduler.view.tasks else Joined(id_, PIDS[id_], "p", attributes)
    if what == "tick":
        return Tick(id_.device)
    if id_ not in scheduler.view.tasks:
        return None
    kinds: dict[str, Any] = {"leave": Left, "active": Active, "idle": Idle}
    return Changed(id_, attributes) if what == "change" else kinds[what](id_)


def answers(scheduler: Scheduler, name: str, steps: list[Any]) -> Iterator[Answer]:
    """Applies all events, with the ticks that the policy requests in between."""
    now = 0
    for what, id_, attributes, wait in steps:
        while (wake := scheduler.next_wake()) is not None and wake[0] <= now + wait:
            yield scheduler.handle(Tick(wake[1]), wake[0])
        now += wait
        if what == "switch":
            yield scheduler.use(registry.make(name), now)
        elif (event := event_of(what, id_, attributes, scheduler)) is not None:
            yield scheduler.handle(event, now)


@pytest.mark.parametrize("name", registry.BUILT_IN)
@given(steps=STEPS)
@settings(max_examples=40)
def test_it_never_fails_and_is_never_refused(name: str, steps: list[Any]) -> None:
    scheduler = Scheduler(registry.make(name))
    for answer in answers(scheduler, name, steps):
        assert (answer.failure, answer.refusals) == (None, [])
        assert len(set(answer.decisions)) == len(answer.decisions)
        for device in ("d0", "d1"):
            if not scheduler.view.active(device) and name != "priority-across":
                assert all(task.open for task in scheduler.view.on(device))


@pytest.mark.parametrize("name", registry.BUILT_IN)
@pytest.mark.parametrize("other", ["rr", "group-share", "edf"])
def test_a_switch_under_load_goes_on_where_the_other_was(name: str, other: str) -> None:
    scheduler = Scheduler(registry.make(name))
    now = 0
    for id_ in IDS:
        scheduler.handle(Joined(id_, PIDS[id_], "p", Attributes(priority=id_.ticket)), now)
        scheduler.handle(Active(id_), now)
    for policy in (other, name):
        now += 3 * MS
        assert scheduler.use(registry.make(policy), now).failure is None
        for _ in range(50):
            wake = scheduler.next_wake()
            if wake is None:
                break
            now = wake[0]
            answer = scheduler.handle(Tick(wake[1]), now)
            assert (answer.failure, answer.refusals) == (None, [])
        assert scheduler.policy.name == policy
        for device in ("d0", "d1"):
            running = [t for t in scheduler.view.on(device) if t.running_since_ns is not None]
            assert running or device in scheduler.timers
