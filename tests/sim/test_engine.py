"""The model gives the results that can be worked out by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from giveway.sched.policies import registry
from giveway.sched.task import Attributes
from giveway.simulate.engine import Run, run
from giveway.simulate.figures import make_result
from giveway.simulate.record import Record
from giveway.simulate.scenario import MS, Model, Program, Scenario
from tests.sim.programs import EXACT, GPU, busy, simulate

URGENT = Program(
    "urgent",
    "fixed",
    launch_ns=MS // 10,
    launches=20,
    period_ns=20 * MS,
    attributes=Attributes(priority=1),
)
OTHER = Program("other", "saturating", launch_ns=MS // 4, launches=40)


def outcome(done: Run) -> object:
    return (done.events, [(t.latencies, t.busy_ns, t.held_ns, t.launches) for t in done.tasks])


@pytest.mark.parametrize("policy", ["priority", "fair", "group-share", "mlfq"])
def test_the_same_seed_gives_the_same(policy: str) -> None:
    programs = (replace(URGENT, arrivals="poisson", jitter=0.3), replace(OTHER, jitter=0.5))
    first, again, different = (
        outcome(simulate(policy, GPU, 500, *programs, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != different


def test_alone_a_request_takes_what_its_launches_take() -> None:
    done = run(Scenario("x", (URGENT, OTHER), 1000 * MS, warm_ns=0), None)
    urgent, other = done.tasks
    assert set(urgent.latencies) == {2 * MS}
    assert len(urgent.latencies) == pytest.approx(50, abs=1)
    assert other.busy_ns == 1000 * MS
    assert other.id.device != urgent.id.device


def test_requests_come_on_time_however_long_those_before_take() -> None:
    slow = replace(URGENT, launches=400, phase_ns=0)  # 40 ms of work every 20 ms
    done = run(Scenario("x", (slow,), 400 * MS, warm_ns=0), None)
    assert done.tasks[0].latencies == [(40 + 20 * n) * MS for n in range(10)]


def test_arrivals_are_the_same_whatever_the_policy() -> None:
    programs = (replace(URGENT, arrivals="poisson", jitter=0.2), OTHER)
    due = []
    for policy in ("rr", "edf", "mlfq"):
        task, _ = simulate(policy, EXACT, 2000, *programs).tasks
        due.append(len(task.latencies) + len(task.requests) + task.working)
    assert len(set(due)) == 1


@pytest.mark.parametrize(
    ("launch_us", "window_us", "most_us"),
    [(250, 500, 500), (250, 1000, 1000), (300, 500, 300), (900, 500, 900), (250, 0, 10_000)],
)
def test_an_urgent_request_waits_for_the_window_at_most(
    launch_us: int, window_us: int, most_us: int
) -> None:
    other = replace(OTHER, launch_ns=launch_us * 1000)
    model = Model(window_ns=window_us * 1000, gate_delay_ns=0, timeslice_ns=1000 * MS)
    urgent = replace(URGENT, period_ns=20_170_000)  # at all times of the other's batch
    late = [
        ns - 2 * MS for ns in simulate("priority", model, 3000, urgent, other).tasks[0].latencies
    ]
    assert 0.5 * most_us * 1000 <= max(late) <= most_us * 1000


def test_the_gate_delay_lets_that_much_more_in_front() -> None:
    def worst(delay_us: int) -> int:
        model = Model(gate_delay_ns=delay_us * 1000, timeslice_ns=MS // 10)
        return max(simulate("priority", model, 3000, URGENT, OTHER).tasks[0].latencies)

    assert worst(0) < worst(1000) <= worst(0) + 2 * MS


def test_an_interrupt_stops_what_runs() -> None:
    long = replace(OTHER, launch_ns=50 * MS)
    assert set(simulate("priority", EXACT, 1000, URGENT, long).tasks[0].latencies) == {2 * MS}


@given(
    launch_us=st.integers(10, 3000),
    interrupt=st.booleans(),
    delay_us=st.sampled_from([0, 50]),
    policy=st.sampled_from(list(registry.BUILT_IN)),
)
@settings(max_examples=60)
def test_no_work_is_lost_or_done_twice(
    launch_us: int, interrupt: bool, delay_us: int, policy: str
) -> None:
    model = Model(interrupt=interrupt, gate_delay_ns=delay_us * 1000, max_wait_ns=20 * MS)
    other = replace(OTHER, launch_ns=launch_us * 1000)
    record = Record(0, 300 * MS)
    scenario = Scenario("x", (URGENT, other), 300 * MS, warm_ns=0, model=model)
    done = run(scenario, registry.make(policy), record)
    assert done.failure is None
    spans = sorted(span for task in done.tasks for span in record.runs.get(task.id, []))
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))  # one at a time
    for task in done.tasks:
        ran = sum(end - begin for begin, end in record.runs.get(task.id, []))
        assert ran == task.busy_ns
        ran_whole = task.launches * task.program.launch_ns
        # What runs at the end is not counted, nor all of what was interrupted.
        assert ran - 2 * task.program.launch_ns <= ran_whole <= ran + task.program.launch_ns
    assert sum(task.busy_ns for task in done.tasks) <= 300 * MS


def test_who_leaves_holds_nobody() -> None:
    leaver = replace(busy("leaver", priority=5), stop_ns=100 * MS)
    done = simulate("priority", EXACT, 200, leaver, busy("stays"))
    assert [task.busy_ns for task in done.tasks] == pytest.approx([100 * MS] * 2, abs=MS)


def test_across_devices_the_urgent_process_finds_the_other_free() -> None:
    first = replace(URGENT, name="first", process="p", device=0, launches=150, phase_ns=0)
    second = replace(first, name="second", device=1, launches=10, phase_ns=5 * MS)
    other = replace(OTHER, device=1, launch_ns=5 * MS)
    programs = (first, second, other)

    def worst(policy: str) -> int:
        done = simulate(policy, GPU, 1000, *programs, devices=2)
        return max(done.tasks[1].latencies)

    assert worst("priority") > 3 * MS
    assert worst("priority-across") <= 1.1 * MS


def test_many_devices_are_independent() -> None:
    programs = (replace(URGENT, count=100), replace(OTHER, count=100))
    done = simulate("priority", GPU, 200, *programs, devices=100)
    assert len(done.devices) == 100
    assert {len({t.id.device for t in done.tasks if t.program is p}) for p in programs} == {100}
    for device in done.devices:
        assert device.busy_ns > 150 * MS


def test_a_policy_that_fails_shows_in_the_result() -> None:
    class Breaks(type(registry.make("priority"))):  # type: ignore[misc]
        def decide(self, event, view, now):  # type: ignore[no-untyped-def]
            if now > 50 * MS:
                raise RuntimeError("after a while")
            return super().decide(event, view, now)

    scenario = Scenario("x", (URGENT, OTHER), 200 * MS, warm_ns=0)
    done = run(scenario, Breaks())
    assert done.failure is not None
    assert "after a while" in done.failure
    assert max(done.tasks[0].latencies) < 3 * MS
    result = make_result(scenario, run(scenario, None), {"breaks": done})
    assert "after a while" in result["policies"]["breaks"]["failure"]
