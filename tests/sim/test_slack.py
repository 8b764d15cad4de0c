"""Slack in simulations: libgiveway's controller, on a device that runs tasks side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from giveway.page.slack import Slack
from giveway.sched.policies import registry
from giveway.sched.task import Attributes
from giveway.simulate import figures
from giveway.simulate.engine import Run, run
from giveway.simulate.scenario import MS, SECOND, Model, Program, Scenario

FACTORS = {"light*train": 1.03, "heavy*train": 2.5, "light*middle": 1.03}
MODEL = Model(beside=FACTORS, max_wait_ns=0)
TRAIN = Program("train", "saturating", launch_ns=MS // 5, launches=1000)


def serve(kind: str, slowdown: float) -> Program:
    """Requests that last 100 ms alone, for 40 % of the time."""
    return Program(
        "serve",
        "poisson",
        launch_ns=MS // 10,
        launches=1000,
        jitter=0.3,
        period_ns=250 * MS,
        kind=kind,
        attributes=Attributes(priority=10, slowdown=slowdown),
    )


def simulate(*programs: Program, policy: str = "priority", model: Model = MODEL) -> figures.Result:
    scenario = Scenario("test", programs, duration_ns=6 * SECOND, model=model)
    alone = run(scenario, None)
    done: Run = run(scenario, registry.make(policy), slack=Slack)
    assert done.failure is None
    result = figures.make_result(scenario, alone, {policy: done})
    return result["policies"][policy]["tasks"]


def test_what_hardly_disturbs_runs_nearly_all_the_time() -> None:
    tasks = simulate(serve("light", 10), TRAIN)
    assert tasks["train"]["share_of_alone"] > 0.9
    assert tasks["serve"]["ratios"]["p99"] < 1.1


@pytest.mark.parametrize("tolerance", [5, 10, 30])
def test_what_disturbs_gets_what_the_credit_pays_for(tolerance: float) -> None:
    strict = simulate(serve("heavy", 0), TRAIN)
    tasks = simulate(serve("heavy", tolerance), TRAIN)
    assert tasks["serve"]["ratios"]["p50"] < 1 + tolerance / 100 + 0.02
    assert tasks["train"]["share_of_alone"] > strict["train"]["share_of_alone"] + tolerance / 2000


def test_several_tasks_share_the_credit() -> None:
    tasks = simulate(serve("heavy", 10), replace(TRAIN, name="a"), replace(TRAIN, name="b"))
    one, other = (tasks[name]["share_of_alone"] for name in ("a", "b"))
    assert one == pytest.approx(other, abs=0.02)
    tasks = simulate(serve("heavy", 10), *(replace(TRAIN, name=n, kind="train") for n in "ab"))
    assert tasks["serve"]["ratios"]["p50"] < 1.12
    assert min(tasks[name]["share_of_alone"] for name in "ab") > 0


def test_the_next_class_has_the_slack_and_those_below_it_wait() -> None:
    middle = replace(TRAIN, name="middle", attributes=Attributes(priority=5))
    tasks = simulate(serve("light", 10), middle, TRAIN)
    assert tasks["middle"]["share_of_alone"] > 0.9
    assert tasks["train"]["throughput"] == 0


def test_the_next_class_may_tolerate_a_slowdown_itself() -> None:
    middle = replace(TRAIN, name="middle", attributes=Attributes(priority=5, slowdown=50))
    tasks = simulate(serve("light", 20), middle, TRAIN)
    assert tasks["middle"]["share_of_alone"] > 0.8
    assert tasks["train"]["share_of_alone"] > 0.5


@pytest.mark.parametrize("tolerance", [10, 30])
def test_on_a_device_that_takes_turns_the_promise_holds_as_well(tolerance: float) -> None:
    """The last work of others has its turn after the block in which it was submitted."""
    turns = replace(MODEL, beside=None)
    tasks = simulate(serve("", tolerance), TRAIN, model=turns)
    assert tasks["serve"]["ratios"]["p50"] < 1 + tolerance / 100


def test_a_policy_that_knows_no_slack_spends_none() -> None:
    with_slack, without = (simulate(serve("heavy", x), TRAIN, policy="rr") for x in (10, 0))
    assert with_slack == without
