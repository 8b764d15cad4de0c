"""Where tasks of a simulated cluster run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from giveway.sched import placement
from giveway.sched.policies import registry
from giveway.sched.task import Attributes
from giveway.simulate import engine, figures
from giveway.simulate.place import is_urgent, place
from giveway.simulate.scenario import MS, Placement, Program, Scenario


def program(name: str, count: int, gpus: float, priority: int = 0) -> Program:
    return Program(
        name, "saturating", MS, count=count, gpus=gpus, attributes=Attributes(priority=priority)
    )


def cluster(*programs: Program, kind: Placement = "urgent", **more: object) -> Scenario:
    scenario = Scenario("test", programs, devices=16, devices_per_node=4, placement=kind)
    return replace(scenario, **more)  # type: ignore[arg-type]


def sharing(scenario: Scenario) -> tuple[Counter[int], Counter[int], int]:
    """The urgent and other tasks on each device, and the number of waiting tasks."""
    placed = list(place(scenario))
    there = [(task, at) for task, _, at in placed if at is not None]
    urgent = Counter(at for task, at in there if is_urgent(task))
    others = Counter(at for task, at in there if not is_urgent(task))
    return urgent, others, len(placed) - len(there)


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_urgent_tasks_never_share_a_device(seed: int, spread: bool) -> None:
    both = program("urgent", 12, 0.5, priority=1), program("other", 30, 0.25)
    urgent, others, waiting = sharing(cluster(*both, seed=seed, spread=spread))
    assert set(urgent.values()) == {1}
    assert urgent.total() + others.total() + waiting == 42
    assert others.total() == 30  # others never wait: twenty fit on a device
    assert max(others[at] for at in urgent) <= 1


def test_with_plain_fractions_they_do() -> None:
    both = program("urgent", 12, 0.5, priority=1), program("other", 8, 0.25)
    urgent, _, waiting = sharing(cluster(*both, kind="fractions"))
    assert max(urgent.values()) == 2
    assert waiting == 0


def test_a_task_waits_on_a_node_that_has_enough_in_all_but_no_device_that_has() -> None:
    halves, more = program("half", 4, 0.6), program("more", 1, 0.6)
    urgent, others, waiting = sharing(
        cluster(halves, more, kind="fractions", devices=4, devices_per_node=4)
    )
    assert (urgent.total(), others.total(), waiting) == (0, 4, 1)


def test_the_last_node_may_be_smaller() -> None:
    scenario = cluster(program("urgent", 6, 1, priority=1), devices=6, spread=True)
    urgent, _, waiting = sharing(scenario)
    assert (sorted(urgent), waiting) == ([0, 1, 2, 3, 4, 5], 0)


def test_the_same_seed_gives_the_same_places() -> None:
    both = program("urgent", 6, 0.5, priority=1), program("other", 20, 0.25)
    assert list(place(cluster(*both, seed=3))) == list(place(cluster(*both, seed=3)))
    assert list(place(cluster(*both, seed=3))) != list(place(cluster(*both, seed=4)))


def test_what_waits_does_not_run_and_is_counted() -> None:
    scenario = cluster(program("urgent", 20, 1, priority=1), duration_ns=50 * MS, warm_ns=0)
    done = engine.run(scenario, registry.make("priority"))
    result = figures.make_result(scenario, engine.run(scenario, None), {"p": done})
    where = result["policies"]["p"]["placement"]
    assert (where["urgent"], where["waiting"], where["urgent_sharing"]) == (16, 4, 0)
    assert result["policies"]["p"]["device_busy_share"] == 1.0


def test_the_rule_is_that_of_ray() -> None:
    urgent, others, _ = sharing(
        cluster(program("urgent", 1, 1, priority=1), program("other", 21, 1), devices=1)
    )
    together = urgent[0] * placement.URGENT + others[0] * placement.BESIDE
    assert together <= 1 + 1e-9
