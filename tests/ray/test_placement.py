"""Ray's placement by `giveway.ray.options` on two nodes with four devices each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import giveway.ray
from tests.ray.cluster import DEVICES, NODES
from tests.ray.workers import Where

ALL = DEVICES * NODES
PROPER = {"proper": 0.01}
SECONDS = 60
NOT_SOON = 3
"""Long enough for Ray to place an actor that waits for nothing but its place."""


def start(ray: Any, count: int, priority: int, **options: Any) -> list[Any]:
    """Actors placed by Ray, without the runtime environment, which does not affect placement."""
    asked = giveway.ray.options(priority, num_cpus=0, resources=PROPER, **options)
    del asked["runtime_env"]
    return [ray.start(Where, **asked) for _ in range(count)]


def places(ray: Any, actors: list[Any], seconds: float = SECONDS) -> Counter[tuple[str, int]]:
    """How many of the actors that were placed are on which device."""
    asked = [actor.place.remote() for actor in actors]
    done, _ = ray.wait(asked, num_returns=len(asked), timeout=seconds)
    return Counter((node, number) for node, gpus in ray.get(done) for number in gpus)


def test_urgent_tasks_have_a_device_each_and_one_other_beside_them(ray: Any) -> None:
    urgent = places(ray, start(ray, ALL, 10))
    assert len(urgent) == ALL
    assert set(urgent.values()) == {1}
    others = places(ray, start(ray, ALL, 0))
    assert others == urgent


def test_one_more_waits_until_a_place_is_free(ray: Any) -> None:
    first = start(ray, ALL, 10)
    assert places(ray, first).total() == ALL
    (late,) = start(ray, 1, 10)
    waits = late.place.remote()
    assert ray.wait([waits], timeout=NOT_SOON)[0] == []
    ray.kill(first.pop())
    assert ray.wait([waits], timeout=SECONDS)[0] == [waits]


def test_others_that_came_first_share_a_device_and_leave_the_rest_to_urgent_tasks(
    ray: Any,
) -> None:
    """With SPREAD, as in Ray Serve: Ray looks for a node whose total resources suffice."""
    others = places(ray, start(ray, 3, 0))
    assert list(others.values()) == [3]
    urgent = places(ray, start(ray, ALL - 2, 10, scheduling_strategy="SPREAD"))
    assert urgent.total() == len(urgent) == ALL - 2
    assert urgent.keys().isdisjoint(others)


def test_as_many_fit_beside_an_urgent_task_as_their_shares_add_up_to(ray: Any) -> None:
    (place,) = places(ray, start(ray, 1, 10))
    beside = places(ray, start(ray, 4, 0, share=25))
    assert beside == {place: 4}
    assert places(ray, start(ray, 1, 0, share=25)).keys() != {place}


def test_the_user_may_say_otherwise(ray: Any) -> None:
    assert list(places(ray, start(ray, 2, 10, urgent=False)).values()) == [2]


def test_where_a_node_is_one_device_it_has_one_urgent_task(ray: Any) -> None:
    actors = start(ray, NODES + 1, 10, device="cpu")
    asked = [actor.place.remote() for actor in actors]
    done, late = ray.wait(asked, num_returns=NODES, timeout=SECONDS)
    assert len({node for node, _ in ray.get(done)}) == NODES
    assert ray.wait(late, timeout=NOT_SOON)[0] == []
    assert len(ray.get([a.place.remote() for a in start(ray, 3, 0, device="cpu")])) == 3
