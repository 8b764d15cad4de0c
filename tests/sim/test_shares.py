"""Policies that divide the device's time: shares within 2 % over 100 slices, and nobody starves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from giveway.errors import UsageError
from giveway.sched.policies import registry
from giveway.sched.policies.base import View, everyone
from giveway.sched.policies.group_share import GroupShare
from giveway.sched.policies.mlfq import MultiLevelFeedback
from giveway.sched.policies.priority import Priority
from giveway.sched.scheduler import Scheduler
from giveway.sched.task import Active, Attributes, Decision, Event, Joined, TaskId, Tick, WakeAt
from giveway.simulate.engine import run
from giveway.simulate.scenario import MS, Model, Program, Scenario
from tests.sim.programs import EXACT, GPU, SLICE_MS, busy, shares, simulate

MODELS = pytest.mark.parametrize("model", [EXACT, GPU], ids=["exact", "gpu"])
MS_OF_100_SLICES = 100 * SLICE_MS
QUICK = settings(max_examples=30)


@MODELS
@given(count=st.integers(2, 7))
@QUICK
def test_round_robin_is_even_and_nobody_waits_longer_than_a_round(model: Model, count: int) -> None:
    done = simulate("rr", model, MS_OF_100_SLICES, *(busy(f"p{n}") for n in range(count)))
    assert shares(done, MS_OF_100_SLICES) == pytest.approx([100 / count] * count, abs=2)


@given(count=st.integers(2, 7))
@QUICK
def test_a_request_waits_for_a_slice_of_each_of_the_others_at_most(count: int) -> None:
    request = Program("request", "fixed", launch_ns=MS, period_ns=47 * MS)
    done = simulate("rr", EXACT, 2000, request, *(busy(f"p{n}") for n in range(count)))
    assert max(done.tasks[0].latencies) <= (count * SLICE_MS + 1) * MS


@MODELS
@given(weights=st.lists(st.integers(1, 9), min_size=2, max_size=5))
@QUICK
def test_fair_is_in_proportion_to_the_weights(model: Model, weights: list[int]) -> None:
    programs = [busy(f"p{n}", weight=float(weight)) for n, weight in enumerate(weights)]
    done = simulate("fair", model, MS_OF_100_SLICES, *programs)
    expected = [100 * weight / sum(weights) for weight in weights]
    assert shares(done, MS_OF_100_SLICES) == pytest.approx(expected, abs=2)


def test_fair_does_not_pay_back_time_that_was_not_wanted() -> None:
    late = replace(busy("late"), start_ns=1000 * MS)
    done = simulate("fair", EXACT, 1500, busy("early"), late)
    assert shares(done, 1500)[1] == pytest.approx(100 / 6, abs=1)


def test_fair_serves_who_asks_for_short_slices_sooner_and_gives_it_no_more() -> None:
    def request(slice_ms: int) -> Program:
        attributes = Attributes(slice_ns=slice_ms * MS)
        return Program("r", "poisson", MS, period_ns=30 * MS, attributes=attributes)

    def median(slice_ms: int) -> int:
        done = simulate("fair", EXACT, 3000, request(slice_ms), *(busy(f"p{n}") for n in range(3)))
        latencies = sorted(done.tasks[0].latencies)
        return latencies[len(latencies) // 2]

    assert median(1) < median(5) / 2
    done = simulate("fair", EXACT, 500, busy("short", slice_ns=MS), busy("long"))
    assert shares(done, 500) == pytest.approx([50, 50], abs=2)


SHARES = st.lists(st.integers(5, 60), min_size=2, max_size=5).filter(lambda s: sum(s) <= 95)


@MODELS
@given(promised=SHARES)
@QUICK
def test_everyone_gets_its_share_and_the_rest_has_what_is_left(
    model: Model, promised: list[int]
) -> None:
    programs = [busy(f"p{n}", share=float(share)) for n, share in enumerate(promised)]
    done = simulate("share", model, MS_OF_100_SLICES, busy("rest"), *programs)
    expected = [100 - sum(promised), *promised]
    assert shares(done, MS_OF_100_SLICES) == pytest.approx(expected, abs=2)


def test_a_share_that_is_not_used_is_lent() -> None:
    idle = Program("idle", "fixed", MS, period_ns=50 * MS, attributes=Attributes(share=60.0))
    done = simulate("share", EXACT, 1000, idle, busy("a", share=30.0), busy("b", share=10.0))
    used = shares(done, 1000)
    assert used[0] == pytest.approx(2, abs=0.2)
    assert used[1] == pytest.approx(3 * used[2], rel=0.1)
    assert sum(used) == pytest.approx(100, abs=0.1)


@given(
    work_ms=st.integers(1, 40),
    rest_ms=st.integers(1, 60),
    others=st.integers(1, 4),
    spare=st.integers(1, 20),
)
@settings(max_examples=12)
def test_who_rests_gets_what_it_needs_of_its_share(
    work_ms: int, rest_ms: int, others: int, spare: int
) -> None:
    """It was interrupted after each rest, because what it was owed was forgotten."""
    needs = 100 * work_ms / (work_ms + rest_ms)
    share = min(needs + spare, 99.0)
    rests = Program(
        *("rests", "saturating", MS),
        launches=work_ms,
        period_ns=rest_ms * MS,
        attributes=Attributes(share=share),
    )
    done = simulate("share", EXACT, 1500, rests, *(busy(f"p{n}") for n in range(others)))
    used = shares(done, 1500)
    assert used[0] >= needs - 2
    assert sum(used) == pytest.approx(100, abs=0.1)  # and the others get the rest


def test_ninety_percent_were_promised_and_fifty_five_are_needed() -> None:
    rests = Program(
        "rests", "saturating", MS // 10, 60, period_ns=5 * MS, attributes=Attributes(share=90.0)
    )
    lingering = replace(GPU, linger_ns=2 * MS)
    done = simulate("share", lingering, 3000, rests, busy("greedy", weight=9.0))
    strict = simulate("priority", lingering, 3000, rests, busy("greedy", priority=-1))
    # As much as if it were urgent, which is the most that any policy can give it.
    assert shares(done, 3000)[0] == pytest.approx(shares(strict, 3000)[0], abs=0.5)
    assert shares(done, 3000)[0] > 51


@given(demands=st.lists(st.integers(3, 30), min_size=2, max_size=4).filter(lambda d: sum(d) <= 80))
@settings(max_examples=12)
def test_all_who_rest_get_what_they_need_of_their_shares(demands: list[int]) -> None:
    programs = [
        Program(
            *(f"p{n}", "fixed", MS),
            launches=demand,
            period_ns=100 * MS,
            attributes=Attributes(share=demand + 4.0),
        )
        for n, demand in enumerate(demands)
    ]
    done = simulate("share", EXACT, 1500, *programs, busy("a"), busy("b"))
    for used, demand in zip(shares(done, 1500), demands, strict=False):
        assert used == pytest.approx(demand, abs=2)  # the last request may be cut off


def test_a_long_rest_is_owed_no_more_than_a_period() -> None:
    sleeper = Program(
        *("late", "fixed", MS),
        launches=2000,
        period_ns=60_000 * MS,
        phase_ns=1000 * MS,
        attributes=Attributes(share=50.0),
    )
    done = simulate("share", EXACT, 1400, sleeper, busy("other"))
    # Of 400 ms, half and the 50 ms that it is owed from before.
    assert done.tasks[0].busy_ns / MS == pytest.approx(250, abs=10)


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("share,period=0ms", "1ms to 3600s"),
        ("group-share,period=0ms", "1ms to 900ms"),
        ("group-share,period=2s", "1ms to 900ms"),
        ("rr,slice=0ms", "100us to 3600s"),
        ("fair,slice=9999s", "100us to 3600s"),
        ("laxity,slice=1ns", "100us to 3600s"),
        ("mlfq,levels=0", "1 to 20"),
        ("mlfq,levels=1000", "1 to 20"),
        ("mlfq,boost=0s", "1ms to 3600s"),
        ("edf,k=0", "1 to 256"),
        ("edf,k=1000000", "1 to 256"),
    ],
)
def test_a_parameter_out_of_its_range_is_an_error_in_one_line(policy: str, allowed: str) -> None:
    name, _, parameter = policy.partition(",")
    key = parameter.partition("=")[0]
    with pytest.raises(
        UsageError, match=f"{key} of policy {name} cannot be .*: allowed is {allowed}"
    ):
        registry.make(policy)


@given(share=st.integers(1, 90), period_ms=st.sampled_from([1, 10, 100, 450, 900]))
@settings(max_examples=12)
def test_a_group_gets_no_more_whatever_the_period(share: int, period_ms: int) -> None:
    done = simulate(
        f"group-share,period={period_ms}ms", EXACT, 1800, busy("alone", share=float(share))
    )
    assert shares(done, 1800)[0] == pytest.approx(share, abs=1.5)


@MODELS
@given(promised=SHARES)
@QUICK
def test_a_group_gets_its_share_and_no_more(model: Model, promised: list[int]) -> None:
    programs = [busy(f"p{n}", share=float(share)) for n, share in enumerate(promised)]
    done = simulate("group-share", model, MS_OF_100_SLICES, *programs)
    assert shares(done, MS_OF_100_SLICES) == pytest.approx(promised, abs=2)


@MODELS
@given(share=st.integers(5, 90))
@QUICK
def test_what_a_group_does_not_use_is_lent_to_nobody(model: Model, share: int) -> None:
    done = simulate("group-share", model, MS_OF_100_SLICES, busy("alone", share=float(share)))
    assert shares(done, MS_OF_100_SLICES) == pytest.approx([share], abs=2)


def test_what_a_late_wake_up_let_a_group_have_it_lacks_afterwards() -> None:
    scheduler, task = Scheduler(GroupShare()), TaskId("d", 1)
    scheduler.handle(Joined(task, 1, "late", Attributes(share=20)), 0)
    scheduler.handle(Active(task), 0)
    opened = []
    for now in (60, 100, 200, 300):  # it was to end at 20
        scheduler.handle(Tick("d"), now * MS)
        opened.append(scheduler.view.tasks[task].open)
    assert opened == [False, False, False, True]


def test_tasks_of_a_group_divide_what_it_is_given() -> None:
    pair = [busy(name, share=40.0, group="pair") for name in ("a", "b")]
    process = [replace(busy(name, share=20.0), process="c") for name in ("c1", "c2")]
    done = simulate("group-share", EXACT, 1000, *pair, *process, busy("rest"))
    assert shares(done, 1000) == pytest.approx([20, 20, 10, 10, 40], abs=2)


def test_mlfq_runs_short_work_first() -> None:
    short = Program("short", "poisson", launch_ns=MS, period_ns=50 * MS)
    programs = (busy("a"), busy("b"), short)
    mlfq = simulate("mlfq", EXACT, 4000, *programs).tasks[2].latencies
    rr = simulate("rr", EXACT, 4000, *programs).tasks[2].latencies
    assert sorted(mlfq)[len(mlfq) // 2] <= 1.1 * MS
    assert sorted(mlfq)[len(mlfq) // 2] < sorted(rr)[len(rr) // 2]


def test_mlfq_takes_all_back_to_the_top_every_boost() -> None:
    policy = MultiLevelFeedback(levels=3, boost_ns=200 * MS)
    scheduler = Scheduler(policy)
    ids = [TaskId("d0", ticket) for ticket in (1, 2)]
    for id_ in ids:
        scheduler.handle(Joined(id_, 1, "p", Attributes()), 0)
        scheduler.handle(Active(id_), 0)

    def levels(until_ns: int) -> list[int]:
        while (wake := scheduler.next_wake()) is not None and wake[0] <= until_ns:
            scheduler.handle(Tick(wake[1]), wake[0])
        return [policy.level(scheduler.view.tasks[id_]) for id_ in ids]

    assert levels(195 * MS) == [2, 2]
    scheduler.handle(Tick("d0"), 200 * MS)
    assert sorted(levels(200 * MS)) == [0, 1]  # one was running, and is charged for its slice


@given(levels=st.integers(1, 6), newcomers=st.integers(1, 3))
@QUICK
def test_mlfq_lets_nobody_starve(levels: int, newcomers: int) -> None:
    # Short jobs without end keep the upper levels busy; once a second all are equal.
    short = [
        Program(f"s{n}", "fixed", launch_ns=4 * MS, period_ns=4 * MS * newcomers)
        for n in range(newcomers)
    ]
    done = simulate(f"mlfq,levels={levels},boost=200ms", EXACT, 2000, busy("long"), *short)
    assert done.tasks[0].busy_ns >= 4 * SLICE_MS * MS


@pytest.mark.parametrize("policy", ["rr", "fair", "share", "group-share", "mlfq"])
@MODELS
def test_where_it_is_promised_nobody_starves(policy: str, model: Model) -> None:
    greedy = busy("greedy", weight=100.0, share=99.0, priority=9)
    done = simulate(policy, model, 3000, greedy, busy("modest", weight=1.0, priority=-9))
    assert shares(done, 3000)[1] > 0.4


def test_strict_priority_starves_but_for_max_wait() -> None:
    programs = (busy("urgent", priority=1), busy("other"))
    assert shares(simulate("priority", EXACT, 3000, *programs), 3000)[1] == 0
    spared = replace(EXACT, max_wait_ns=1000 * MS, linger_ns=MS)
    urgent, other = simulate("priority", spared, 3000, *programs).tasks
    assert other.busy_ns == pytest.approx(20 * MS, abs=MS)  # two turns, and nobody beside it
    assert urgent.busy_ns == pytest.approx(2980 * MS, abs=MS)


@pytest.mark.parametrize("others", [2, 4])
def test_however_many_starve_they_take_their_turns_together(others: int) -> None:
    spared = replace(EXACT, max_wait_ns=200 * MS, linger_ns=MS)
    starving = [replace(busy(f"other{n}"), start_ns=40 * n * MS) for n in range(others)]
    done = simulate("priority", spared, 3000, busy("urgent", priority=1), *starving)
    urgent, *rest = done.tasks
    # A turn of 10 ms in 100, at most.
    assert 2650 * MS <= urgent.busy_ns <= 2880 * MS
    assert all(task.busy_ns > 0 for task in rest)


def test_who_ends_in_its_turn_holds_nobody() -> None:
    spared = replace(EXACT, max_wait_ns=1000 * MS, quantum_ns=500 * MS, linger_ns=MS)
    leaver = replace(busy("leaver"), stop_ns=1100 * MS)
    done = simulate("priority", spared, 2000, busy("urgent", priority=1), leaver)
    assert [task.busy_ns for task in done.tasks] == pytest.approx([1900 * MS, 100 * MS], abs=2 * MS)


def test_who_is_gone_has_no_turn() -> None:
    spared = replace(EXACT, max_wait_ns=1000 * MS, quantum_ns=500 * MS, linger_ns=MS)
    gone, leaver = replace(busy("gone"), stop_ns=900 * MS), replace(busy("l"), stop_ns=1100 * MS)
    urgent = simulate("priority", spared, 2000, busy("urgent", priority=1), gone, leaver).tasks[0]
    assert urgent.busy_ns == pytest.approx(1900 * MS, abs=2 * MS)


def test_nobody_yields_to_who_may_run_anyway() -> None:
    class OpensAll(Priority):
        """From 1100 ms on, in the turn of starving tasks."""

        def decide(self, event: Event, view: View, now: int) -> Iterable[Decision]:
            if now >= 1100 * MS:
                return [everyone(view, event.device)]
            return [*super().decide(event, view, now), WakeAt(event.device, 1100 * MS)]

    spared = replace(EXACT, max_wait_ns=1000 * MS, quantum_ns=500 * MS, linger_ns=MS)
    programs = (busy("urgent", priority=1), busy("other"))
    scenario = Scenario("test", programs, duration_ns=2000 * MS, warm_ns=0, model=spared)
    urgent, other = run(scenario, OpensAll()).tasks
    assert urgent.busy_ns == pytest.approx(1450 * MS, abs=5 * MS)
    assert other.busy_ns == pytest.approx(550 * MS, abs=5 * MS)
