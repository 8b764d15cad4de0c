"""The scheduler between a host and a policy: its state, checks, refusals and fallback."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from giveway.sched.policies.priority import Priority
from giveway.sched.scheduler import MAX_ALL_HELD_NS, MIN_WAKE_NS
from giveway.sched.task import (
    Active,
    Attributes,
    Changed,
    Close,
    Event,
    Idle,
    Joined,
    Left,
    Only,
    Open,
    TaskId,
    Tick,
    WakeAt,
)
from tests.unit.scripted import HIGH, LOW, MS, OTHER, Scripted, decides, quiet, says, with_tasks


def test_strict_priority_closes_and_opens() -> None:
    scheduler = with_tasks(Priority())
    assert scheduler.handle(Active(LOW), 1).decisions == []
    assert scheduler.handle(Active(HIGH), 2).decisions == [Close(LOW, HIGH)]
    assert scheduler.view.tasks[LOW].held_by == HIGH
    assert scheduler.handle(Idle(HIGH), 3).decisions == [Open(LOW)]
    assert scheduler.view.tasks[LOW].held_by is None


def test_a_policy_sees_the_event_already_done() -> None:
    seen: list[Any] = []
    scheduler = with_tasks(Scripted(lambda e, view, _: seen.append(view.tasks.get(LOW)) or ()))
    seen.clear()
    scheduler.handle(Active(LOW), 5)
    assert (seen[-1].active, seen[-1].since_ns, seen[-1].open) == (True, 5, True)
    scheduler.handle(Changed(LOW, Attributes(weight=2.0)), 6)
    assert seen[-1].attributes.weight == 2
    scheduler.handle(Left(LOW), 7)
    assert seen[-1] is None
    assert [task.id for task in scheduler.view.on("d0")] == [HIGH]


def test_what_changes_nothing_is_not_asked_about() -> None:
    policy = Scripted(quiet)
    scheduler = with_tasks(policy)
    policy.seen.clear()
    scheduler.handle(Idle(LOW), 1)
    scheduler.handle(Changed(LOW, Attributes()), 1)
    scheduler.handle(Active(LOW), 1)
    scheduler.handle(Active(LOW), 2)
    assert policy.seen == [(Active(LOW), 1)]


@pytest.mark.parametrize(
    "event", [Active(TaskId("d0", 9)), Left(TaskId("d9", 1)), Joined(LOW, 1, "")]
)
def test_a_wrong_host_is_told(event: Event) -> None:
    with pytest.raises(ValueError, match="TaskId"):
        with_tasks(Priority()).handle(event, 0)


def test_a_policy_cannot_change_a_task() -> None:
    task = with_tasks(Priority()).view.tasks[LOW]
    with pytest.raises(AttributeError):
        task.open = False  # type: ignore[misc]


def test_only_changes_are_passed_on_and_the_last_word_counts() -> None:
    scheduler = with_tasks(Scripted(quiet))
    assert says(scheduler, Open(LOW)).decisions == []
    assert says(scheduler, Close(LOW), Open(LOW), Close(LOW)).decisions == [Close(LOW)]
    assert says(scheduler, Open(LOW), Close(LOW)).decisions == []


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        (None, "NoneType"),
        ("close", "str"),
        (LOW, "TaskId"),
        (Open, "type"),
        (Open(TaskId("d0", 9)), "does not exist"),
        (Open(("d0", 1)), "does not exist"),  # type: ignore[arg-type]
        (Close([]), "does not exist"),  # type: ignore[arg-type]
        (Close(LOW, TaskId("d9", 1)), "would wait for"),
        (Close(LOW, "p11"), "would wait for"),  # type: ignore[arg-type]
        (Only("d0", [HIGH, TaskId("d0", 9)]), "does not exist"),
        (Only("d0", "p10"), "does not exist"),  # type: ignore[arg-type]
        (Only("d0", LOW.ticket), "collection"),  # type: ignore[arg-type]
        (Only(LOW, [LOW]), "not a device"),  # type: ignore[arg-type]
        (WakeAt("d0", 1.5), "float"),  # type: ignore[arg-type]
        (WakeAt("d0", True), "bool"),
        (WakeAt("d9", 5), "no task has joined"),
        (WakeAt(LOW, 5), "not a device"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused_and_the_rest_is_done(decision: Any, why: str) -> None:
    scheduler = with_tasks(Scripted(quiet))
    answer = says(scheduler, decision, Close(HIGH, LOW))
    (refusal,) = answer.refusals
    assert refusal.decision == decision
    assert why in refusal.why
    assert "\n" not in refusal.why
    assert answer.decisions == [Close(HIGH, LOW)]
    assert answer.failure is None


def test_only_some_run_and_the_others_wait_for_the_first_that_has_work() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(HIGH), 0)
    scheduler.handle(Active(LOW), 0)
    assert says(scheduler, Only("d0", [LOW, HIGH])).decisions == []
    assert says(scheduler, Only("d0", [HIGH])).decisions == [Close(LOW, HIGH)]
    assert says(scheduler, Only("d0", [HIGH])).decisions == []
    assert says(scheduler, Only("d0", [LOW])).decisions == [Open(LOW), Close(HIGH, LOW)]
    assert says(scheduler, Only("d0", [HIGH]), Open(LOW)).decisions == [Open(HIGH)]
    assert says(scheduler, Close(HIGH), Only("d0", [HIGH])).decisions == [Close(LOW, HIGH)]
    assert scheduler.view.tasks[OTHER].open


def test_who_waits_goes_on_waiting_for_whom_it_does() -> None:
    scheduler = with_tasks(Scripted(quiet))
    third = TaskId("d0", 4)
    scheduler.handle(Joined(third, 13, "p13"), 0)
    for id_ in (LOW, HIGH, third):
        scheduler.handle(Active(id_), 0)
    says(scheduler, Only("d0", [HIGH]))
    says(scheduler, Only("d0", [third]))
    assert scheduler.view.tasks[LOW].held_by == HIGH
    says(scheduler, Only("d0", [third]), event=Idle(HIGH))
    assert scheduler.view.tasks[LOW].held_by == third


def test_a_policy_that_has_no_end_of_things_to_say_is_replaced() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(LOW), 1)
    scheduler.handle(Active(HIGH), 2)
    answer = says(scheduler, *[Close(HIGH, LOW)] * 1000)
    assert "no end of decisions about one Tick" in str(answer.failure)
    assert answer.decisions == [Close(LOW, HIGH)]
    assert scheduler.policy.name == Priority.name


def test_a_decision_about_a_task_that_left_is_refused() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Left(LOW), 1)
    assert says(scheduler, Close(LOW)).refusals[0].why.endswith("does not exist")


def test_all_closed_for_nobody_is_refused() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(LOW), 1)
    scheduler.handle(Active(HIGH), 1)
    answer = says(scheduler, Close(LOW), Close(HIGH), now=2)
    assert answer.decisions == [Close(LOW)]  # the most urgent goes on
    assert [refusal.decision for refusal in answer.refusals] == [Close(HIGH)]


def test_a_newcomer_at_a_closed_gate_about_whom_the_policy_says_nothing_is_let_in() -> None:
    scheduler = with_tasks(Scripted(quiet))
    says(scheduler, Close(LOW), Close(HIGH))
    answer = scheduler.handle(Active(LOW), 1)
    assert answer.decisions == [Open(LOW)]
    assert answer.refusals[0].decision is None


def test_all_closed_until_a_time_that_is_near_is_not() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(LOW), 1)
    answer = says(scheduler, Close(LOW), WakeAt("d0", 500 * MS), now=2)
    assert answer.decisions == [Close(LOW), WakeAt("d0", 500 * MS)]
    assert answer.refusals == []
    # It cannot be put off for ever.
    answer = says(scheduler, WakeAt("d0", 900 * MS), now=500 * MS)
    assert answer.refusals == []
    answer = says(scheduler, WakeAt("d0", 1_100 * MS), now=900 * MS)
    assert answer.decisions == [Open(LOW), WakeAt("d0", 1_100 * MS)]
    assert len(answer.refusals) == 1


def test_all_closed_until_a_time_that_is_far_is_refused() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(LOW), 1)
    answer = says(scheduler, Close(LOW), WakeAt("d0", 3 + MAX_ALL_HELD_NS), now=2)
    assert len(answer.refusals) == 1
    assert scheduler.view.tasks[LOW].open


def test_a_device_may_wait_for_another_for_as_long_as_that_one_runs() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(LOW), 1)
    scheduler.handle(Active(OTHER), 1)
    assert says(scheduler, Close(LOW, OTHER), now=2).refusals == []
    assert says(scheduler, now=5 * MAX_ALL_HELD_NS).refusals == []
    answer = scheduler.handle(Idle(OTHER), 6 * MAX_ALL_HELD_NS)
    assert answer.decisions == [Open(LOW)]
    assert len(answer.refusals) == 1


def test_timers() -> None:
    scheduler = with_tasks(Scripted(quiet))
    assert scheduler.next_wake() is None
    assert says(scheduler, WakeAt("d0", 0), now=9).decisions == [WakeAt("d0", 9 + MIN_WAKE_NS)]
    says(scheduler, WakeAt("d0", 5 * MS), WakeAt("d1", 4 * MS), now=10)
    assert scheduler.next_wake() == (4 * MS, "d1")
    assert says(scheduler, WakeAt("d1", None), now=11).decisions == [WakeAt("d1", None)]
    assert scheduler.next_wake() == (5 * MS, "d0")
    scheduler.handle(Tick("d0"), 4 * MS)
    assert scheduler.timers == {"d0": 5 * MS}
    scheduler.handle(Tick("d0"), 5 * MS)
    assert scheduler.next_wake() is None


def test_a_clock_that_runs_backwards_stands() -> None:
    policy = Scripted(quiet)
    scheduler = with_tasks(policy)
    scheduler.handle(Active(LOW), 10)
    scheduler.handle(Idle(LOW), 5)
    assert policy.seen[-1] == (Idle(LOW), 10)
    assert scheduler.view.tasks[LOW].used(10) == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["active", "idle", "open", "close", "switch"]),
        st.sampled_from([LOW, HIGH, OTHER]),
        st.integers(0, 50),
    ),
    max_size=40,
)


@example([("active", LOW, 0), ("active", HIGH, 10), ("close", LOW, 10), ("open", HIGH, 10)])
@given(STEPS)
def test_time_is_charged_while_a_task_has_work_and_may_run(
    steps: list[tuple[str, TaskId, int]],
) -> None:
    scheduler = with_tasks(Scripted(quiet))
    expected = dict.fromkeys((LOW, HIGH, OTHER), 0)
    now = 0
    for what, id_, wait in steps:
        for task in scheduler.view.tasks.values():
            expected[task.id] += wait * (task.active and task.open)
        now += wait
        if what == "switch":
            scheduler.use(Scripted(quiet), now)
        elif what in ("active", "idle"):
            scheduler.handle(Active(id_) if what == "active" else Idle(id_), now)
        else:
            decision = Open(id_) if what == "open" else Close(id_)
            says(scheduler, decision, event=Tick(id_.device), now=now)
        for task in scheduler.view.tasks.values():
            assert task.used(now) == expected[task.id]


ANYTHING = st.one_of(
    st.none(),
    st.integers(),
    st.builds(Open, st.sampled_from([LOW, HIGH, OTHER, TaskId("d0", 9)])),
    st.builds(
        Close,
        st.sampled_from([LOW, HIGH, OTHER, TaskId("d0", 9)]),
        st.sampled_from([None, LOW, HIGH, OTHER, TaskId("d0", 9)]),
    ),
    st.builds(WakeAt, st.sampled_from(["d0", "d1", "d2"]), st.none() | st.integers(0, 2 * 10**9)),
    st.builds(
        Only,
        st.sampled_from(["d0", "d1", "d2"]),
        st.lists(st.sampled_from([LOW, HIGH, OTHER]), max_size=2),
    ),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *(kind(id_) for kind in (Active, Idle) for id_ in (LOW, HIGH, OTHER)),
                    *(Tick("d0"), Tick("d1")),
                ]
            ),
            st.integers(0, MAX_ALL_HELD_NS // 2),
            st.lists(ANYTHING, max_size=6),
        ),
        max_size=30,
    )
)
def test_whatever_a_policy_says_a_device_with_work_runs_or_waits_for_something(
    steps: list[tuple[Event, int, list[Any]]],
) -> None:
    scheduler = with_tasks(Scripted(quiet))
    now = 0
    for event, wait, decisions in steps:
        now += wait
        decided = decides(scheduler, *decisions, event=event, now=now)
        answer = scheduler.settle(decided)
        assert answer.failure is None
        if decided.gates is not None:  # what the host has written is what comes into force
            for task in scheduler.view.on(decided.gates.device):
                assert task.open is (task.id in decided.gates.tasks)
        for device in ("d0", "d1"):
            active = scheduler.view.active(device)
            runs = [task for task in active if task.open]
            held = [
                task
                for task in active
                if task.held_by is not None
                and scheduler.view.tasks[task.held_by].running_since_ns is not None
            ]
            timer = scheduler.timers.get(device)
            soon = timer is not None and timer <= now + MAX_ALL_HELD_NS
            assert not active or runs or held or soon


def test_a_plain_decision_may_be_written_before_it_is_settled() -> None:
    scheduler = with_tasks(Priority())
    scheduler.handle(Active(LOW), 1)
    decided = scheduler.decide(Active(HIGH), 2)
    assert decided.gates == Only("d0", (HIGH,))
    assert scheduler.view.tasks[LOW].open
    assert scheduler.settle(decided).decisions == [Close(LOW, HIGH)]
    assert not scheduler.view.tasks[LOW].open


def test_a_decision_is_settled_as_of_its_event() -> None:
    scheduler = with_tasks(Priority())
    scheduler.handle(Active(LOW), 10)
    scheduler.settle(scheduler.decide(Active(HIGH), 25))
    assert scheduler.view.tasks[LOW].used(40) == 15


def test_what_changes_nothing_has_nothing_to_settle() -> None:
    scheduler = with_tasks(Scripted(quiet))
    decided = decides(scheduler, Close(LOW), event=Idle(LOW))
    assert scheduler.settle(decided).decisions == []


def test_a_policy_that_changes_its_mind_after_it_decided_changes_nothing() -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(LOW), 1)
    allowed = [LOW]
    decided = decides(scheduler, Only("d0", allowed), now=2)
    allowed.clear()
    assert scheduler.settle(decided).decisions == [Close(HIGH, LOW)]


@pytest.mark.parametrize(
    "decisions",
    [
        pytest.param([Only("d0", ()), Open(LOW)], id="it is not all"),
        pytest.param([Only("d0", ())], id="all would wait for nothing"),
        pytest.param([Close(HIGH)], id="it is about one task"),
        pytest.param([Only("nowhere", ())], id="no task is there"),
        pytest.param([Only("d0", [OTHER])], id="the one who may run is elsewhere"),
    ],
)
def test_any_other_decision_is_settled_first(decisions: list[Any]) -> None:
    scheduler = with_tasks(Scripted(quiet))
    scheduler.handle(Active(LOW), 1)
    scheduler.handle(Active(OTHER), 1)
    assert decides(scheduler, *decisions, now=2).gates is None


def test_all_stretches_of_a_task_count_and_none_once_it_has_left() -> None:
    scheduler = with_tasks(Scripted(quiet))
    task = scheduler.view.tasks[LOW]
    for now, event in ((0, Active(LOW)), (10, Idle(LOW)), (20, Active(LOW)), (30, Left(LOW))):
        scheduler.handle(event, now)
    assert task.used(40) == 20
    assert not task.active
