"""Options for Ray, made without Ray."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import giveway.ray
from giveway.errors import GivewayError, UsageError
from giveway.ray import request
from giveway.ray.command import _MARK, NODE_PYTHON
from giveway.ray.request import ONE_A_NODE
from giveway.ray.worker_start import WorkerStart
from giveway.sched import placement


def asked(options: dict[str, Any]) -> WorkerStart:
    """The worker's options as the node reads them."""
    return WorkerStart.from_text(shlex.split(options["runtime_env"]["py_executable"])[-1])


def test_an_urgent_task_takes_the_place_of_its_device() -> None:
    assert giveway.ray.options(1, device="cuda")["num_gpus"] == placement.URGENT
    assert giveway.ray.options(0, device="cuda")["num_gpus"] == placement.BESIDE
    assert giveway.ray.options(1, device="cuda", urgent=False)["num_gpus"] == placement.BESIDE
    assert giveway.ray.options(0, device="hip", urgent=True)["num_gpus"] == placement.URGENT
    assert giveway.ray.options(1, device="cpu")["resources"] == {ONE_A_NODE: 1}
    assert "resources" not in giveway.ray.options(0, device="cpu")


def test_no_two_urgent_tasks_fit_on_a_device_and_another_does() -> None:
    assert placement.fraction(urgent=True) > 0.5
    assert placement.fraction(urgent=True) + placement.fraction(urgent=False) <= 1
    # What is left beside the urgent tasks of one node does not look like room for another.
    assert 16 * (1 - placement.URGENT) < placement.URGENT


@pytest.mark.parametrize(("share", "part"), [(None, 0.05), (100, 0.05), (25, 0.0125), (0.01, 1e-4)])
def test_shares_fit_beside_an_urgent_task_up_to_100(share: float | None, part: float) -> None:
    assert placement.fraction(urgent=False, share=share) == part


@given(shares=st.lists(st.integers(2, 100), min_size=1, max_size=20))
def test_shares_of_100_percent_fit_beside_an_urgent_task(shares: list[int]) -> None:
    """Three of 33.3 % did not: each was rounded up."""
    whole = sum(shares)
    parts = [placement.fraction(False, 100 * share / whole) for share in shares]
    if min(100 * share / whole for share in shares) >= 0.2:  # Ray has no smaller fraction
        assert sum(round(part * 10**4) for part in parts) <= round(placement.BESIDE * 10**4)
    assert 3 * round(placement.fraction(False, 33.3) * 10**4) <= round(placement.BESIDE * 10**4)


def test_what_the_user_says_stays() -> None:
    own = {"resources": {"big": 1}, "num_cpus": 2, "max_restarts": 3, "runtime_env": {"pip": ["x"]}}
    made = giveway.ray.options(5, device="cpu", **own)
    assert made["resources"] == {"big": 1, ONE_A_NODE: 1}
    assert (made["num_cpus"], made["max_restarts"]) == (2, 3)
    assert made["runtime_env"]["pip"] == ["x"]
    assert own["resources"] == {"big": 1}
    assert giveway.ray.options(5, device="cuda", num_gpus=2)["num_gpus"] == 2
    assert asked(giveway.ray.options(5, num_gpus=1)).device is None
    assert asked(giveway.ray.options(5, num_gpus=0)).device == "cpu"


def test_the_node_is_told_all_of_it() -> None:
    made = giveway.ray.options(
        -4, share="30%", device="hip", settings={"deadline": "20ms"}, name="it's a name"
    )
    assert made["name"] == "it's a name"
    settings = ("share=30%", "deadline=20ms")
    assert asked(made) == WorkerStart(-4, "hip", "it's a name", settings)
    made = giveway.ray.options(
        device="cuda", gpu_memory="40GiB", gpu_reserve="10%", parkable=True, memory=1 << 30
    )
    assert made["memory"] == 1 << 30  # of the host: Ray's own
    start = asked(made)
    assert (start.memory, start.reserve, start.parkable) == ("40GiB", "10%", True)


@pytest.mark.parametrize(
    ("own", "python"),
    [
        ({}, NODE_PYTHON),
        ({"env_vars": {"A": "1"}}, NODE_PYTHON),
        ({"pip": ["x"]}, NODE_PYTHON),
        ({"py_executable": "uv run --isolated", "pip": ["x"]}, "uv run --isolated"),
    ],
)
def test_the_node_starts_its_own_python_or_what_the_user_says(
    monkeypatch: pytest.MonkeyPatch, own: dict[str, Any], python: str
) -> None:
    made = giveway.ray.options(device="cpu", runtime_env=own)["runtime_env"]
    assert made["py_executable"].startswith(f"{python} -c ")
    # What is inherited from a job or an actor under giveway is replaced, not started by another.
    monkeypatch.setattr(request, "_inherited", lambda: made)
    again = giveway.ray.options(7, device="cpu", runtime_env={"env_vars": {"A": "1"}})
    assert again["runtime_env"]["py_executable"].startswith(f"{python} -c ")
    assert again["runtime_env"]["py_executable"].count(_MARK) == 1
    assert asked(again).priority == 7
    assert asked(giveway.ray.options(8, device="cpu", runtime_env=made)).priority == 8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"priority": 1001}, "1001 is not in -1000…1000"),
        ({"priority": 2.5}, "2.5 is not a whole number"),
        ({"priority": "10"}, "'10' is not a whole number"),
        ({"settings": {"priority": 5}}, "priority is not a setting"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"device": "cuda", "gpu_memory": "much"}, "gpu_memory: "),
        ({"device": "cuda", "gpu_memory": "1GiB", "gpu_reserve": "2GiB"}, "is more than"),
        ({"device": "cpu", "gpu_reserve": "2GiB"}, "on GPUs, not on the cpu device"),
        ({"device": "hip", "parkable": True}, "only programs on NVIDIA GPUs can be parkable"),
        ({"device": "cpu", "parkable": True}, "only programs on NVIDIA GPUs can be parkable"),
        ({"share": 0}, "share cannot be '0'"),
        ({"settings": {"dedline": "1ms"}}, "did you mean 'deadline'?"),
        ({"runtime_env": {"image_uri": "x"}}, "'image_uri' starts workers in its own way"),
        ({"runtime_env": {"nsight": "default"}}, "'nsight' starts workers"),
    ],
)
def test_a_mistake_is_one_line(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(GivewayError) as caught:
        giveway.ray.options(**arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_starts_workers_in_a_way_of_its_own_is_refused_where_it_is_inherited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request, "_inherited", lambda: {"nsight": "default"})
    with pytest.raises(UsageError, match="that is inherited here, with 'nsight'"):
        giveway.ray.options(device="cpu")
    giveway.ray.options(device="cpu", runtime_env={"nsight": None})


def test_a_placement_group_has_no_urgent_place_on_the_cpu_device() -> None:
    class PlacementGroupSchedulingStrategy:
        """As Ray's is called."""

    with pytest.raises(UsageError, match="urgent=False"):
        giveway.ray.worker_resources(giveway.ray.options(5, device="cpu", num_cpus=1))
    with pytest.raises(UsageError, match="urgent=False"):
        giveway.ray.options(5, device="cpu", scheduling_strategy=PlacementGroupSchedulingStrategy())
    made = giveway.ray.options(5, device="cpu", num_cpus=1, urgent=False)
    assert giveway.ray.worker_resources(made) == {"CPU": 1}


def test_train_is_told_the_same_resources() -> None:
    made = giveway.ray.options(device="cuda", num_cpus=2, resources={"big": 1})
    assert giveway.ray.worker_resources(made) == {"CPU": 2, "GPU": 0.05, "big": 1}
    assert giveway.ray.worker_resources(giveway.ray.options(device="cpu")) == {}


def test_what_another_version_asks_for_is_left_out_where_it_is_not_known() -> None:
    assert WorkerStart.from_text('{"priority": 3, "colour": "red"}') == WorkerStart(3)
    start = WorkerStart(3, settings=("share=30",))
    assert WorkerStart.from_text(start.to_text()) == start
