"""``giveway.ray.options``: ordinary Ray options that start a worker under giveway."""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping
from typing import Any, Final

from giveway import devices, launch
from giveway.errors import UsageError, choices
from giveway.ray.asked import Asked
from giveway.ray.command import py_executable, python_of
from giveway.sched import attributes, placement
from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN, Attributes

# Every node has one of whatever begins like this, without being told: what Ray Serve limits
# replicas on a node by.
ONE_A_NODE: Final = "node:__internal_implicit_resource_giveway_urgent"
"""The Ray resource of which an urgent task takes all where a node is one device."""

_OTHER_STARTS: Final = (
    "container",
    "image_uri",
    "nsight",
    "_nsight",
    "rocprof_sys",
    "_rocprof_sys",
)
_NO_PLACE: Final = (
    "a placement group, such as Ray Train makes, cannot have the one urgent place of a node's cpu "
    "device: say urgent=False"
)


def options(
    priority: int = 0,
    share: float | str | None = None,
    device: str | None = None,
    *,
    urgent: bool | None = None,
    settings: Mapping[str, object] | None = None,
    **ray_options: Any,
) -> dict[str, Any]:
    """Ray options with which the worker process starts under giveway.

    For tasks and actors (``.options(**options)``, ``@ray.remote(**options)``) and Ray Serve
    (``ray_actor_options=options``); for Ray Train see `worker_resources`.

    Args:
        priority: -1000 to 1000, bigger is more urgent.
        share: percent of the device's time, for policies. Of tasks that are not urgent, as many
            fit beside an urgent one as their shares add up to 100; without shares, one.
        device: ``cpu``, ``cuda`` or ``hip``. None: a GPU, if you ask for ``num_gpus`` or Ray is
            connected and its cluster has any, or Ray is not connected and this machine has one.
        urgent: whether it takes the one urgent place of a device; by default if the priority is
            above 0.
        settings: what else policies go by, such as ``{"deadline": "20ms"}``.
        ray_options: Ray's own, handed on. ``num_gpus`` is what you say, if you say it. ``name``
            is the name in ``giveway ps`` as well. A ``runtime_env`` is kept: a ``py_executable``
            or LD_PRELOAD in it goes on to be used, under giveway.

    Raises:
        UsageError: an argument that cannot be right, or a runtime environment, also one that is
            inherited, that starts workers in a way of its own, such as a container.
    """
    if device is not None and device not in devices.KINDS:
        raise UsageError(f"unknown device {device!r}: {choices(device, devices.KINDS)}")
    on_gpu = _is_gpu(device, ray_options.get("num_gpus"))
    said = {**({} if share is None else {"share": share}), **(settings or {})}
    return request(priority, device, said, ray_options, on_gpu=on_gpu, urgent=urgent)


def request(
    priority: int,
    device: str | None,
    settings: Mapping[str, object],
    ray_options: Mapping[str, Any],
    *,
    on_gpu: bool,
    urgent: bool | None = None,
) -> dict[str, Any]:
    """What `options` returns, for who knows whether it is to be a GPU. Raises as it does.

    Args:
        priority: as there.
        device: as there; None: any GPU, or the cpu device.
        settings: what policies go by, the share among it.
        ray_options: as there.
        on_gpu: whether it is.
        urgent: as there.
    """
    if "priority" in settings:
        raise UsageError("the priority is no setting: say priority=N")
    asked = Asked(
        priority=_whole(priority),
        device=device if on_gpu else "cpu",
        name=launch.derive_name([str(ray_options.get("name") or "ray")]),
        settings=tuple(f"{key}={value}" for key, value in settings.items()),
    )
    known = attributes.change(Attributes(), asked.settings)
    takes_place = asked.priority > 0 if urgent is None else urgent
    made = dict(ray_options)
    made["runtime_env"] = _runtime_env(dict(ray_options.get("runtime_env") or {}), asked)
    if on_gpu and ray_options.get("num_gpus") is None:
        made["num_gpus"] = placement.fraction(takes_place, known.share)
    if takes_place and not on_gpu:
        if _in_placement_group(ray_options):
            raise UsageError(_NO_PLACE)
        made["resources"] = {ONE_A_NODE: 1, **(ray_options.get("resources") or {})}
    return made


def worker_resources(made: Mapping[str, Any]) -> dict[str, float]:
    """What `options` asks for, as Ray Train and placement groups write it.

    ``ScalingConfig(resources_per_worker=worker_resources(made))``, and with it
    ``RunConfig(worker_runtime_env=made["runtime_env"])``.

    Raises:
        UsageError: it asks for the urgent place of a node's cpu device, which Ray grants no
            placement group: workers would be waited for without end.
    """
    if ONE_A_NODE in (made.get("resources") or {}):
        raise UsageError(_NO_PLACE)
    names = {"num_cpus": "CPU", "num_gpus": "GPU"}
    asked = {name: made[key] for key, name in names.items() if made.get(key) is not None}
    return {**asked, **(made.get("resources") or {})}


def _whole(priority: int) -> int:
    try:
        whole = operator.index(priority)
    except TypeError:
        raise UsageError(f"priority {priority!r} is not a whole number") from None
    if not PRIORITY_MIN <= whole <= PRIORITY_MAX:
        raise UsageError(f"priority {whole} is not in {PRIORITY_MIN}…{PRIORITY_MAX}")
    return whole


def _in_placement_group(ray_options: Mapping[str, Any]) -> bool:
    strategy = ray_options.get("scheduling_strategy")
    return type(strategy).__name__ == "PlacementGroupSchedulingStrategy"


def _is_gpu(device: str | None, num_gpus: float | None) -> bool:
    if device is not None:
        return device != "cpu"
    if num_gpus is not None:
        return num_gpus > 0
    ray = sys.modules.get("ray")  # who has not imported it is not connected
    if ray is not None and ray.is_initialized():
        return bool(ray.cluster_resources().get("GPU"))
    return devices.default() != "cpu"


def _runtime_env(own: dict[str, Any], asked: Asked) -> dict[str, Any]:
    # As Ray merges the job's environment, or the actor's that asks, into this one: each key as a
    # whole. A `py_executable` of ours that is inherited is replaced, not started by this one.
    merged = {**_inherited(), **own}
    for key in _OTHER_STARTS:
        if merged.get(key):
            whose = "a runtime_env" if key in own else "the runtime_env that is inherited here,"
            raise UsageError(
                f"{whose} with {key!r} starts workers in a way of its own, which giveway "
                "cannot come before: see docs/guides/cluster.md"
            )
    python = python_of(merged.get("py_executable"))
    return {**own, "py_executable": py_executable(asked, python)}


def _inherited() -> Mapping[str, Any]:
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return {}
    return ray.get_runtime_context().runtime_env or {}
