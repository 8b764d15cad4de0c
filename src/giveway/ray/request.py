"""``giveway.ray.options``: ordinary Ray options that start a worker under giveway."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from giveway import attributes, devices, launch, placement
from giveway.errors import UsageError, choices
from giveway.ray.asked import Asked
from giveway.ray.command import py_executable
from giveway.task import PRIORITY_MAX, PRIORITY_MIN, Attributes

# Every node has one of whatever begins like this, without being told: what Ray Serve limits
# replicas on a node by.
ONE_A_NODE: Final = "node:__internal_implicit_resource_giveway_urgent"
"""The Ray resource of which an urgent task takes all where a node is one device."""

_OWN_PYTHON: Final = ("pip", "uv", "conda")
_OTHER_STARTS: Final = (
    "container",
    "image_uri",
    "nsight",
    "_nsight",
    "rocprof_sys",
    "_rocprof_sys",
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
        UsageError: an argument that cannot be right, or a runtime environment that starts workers
            in a way of its own, such as a container.
    """
    if not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise UsageError(f"priority {priority} is not in {PRIORITY_MIN}…{PRIORITY_MAX}")
    if device is not None and device not in devices.KINDS:
        raise UsageError(f"unknown device {device!r}: {choices(device, devices.KINDS)}")
    on_gpu = _is_gpu(device, ray_options.get("num_gpus"))
    said = {**({} if share is None else {"share": share}), **(settings or {})}
    asked = Asked(
        priority=priority,
        device=device if on_gpu else "cpu",
        name=launch.derive_name([str(ray_options.get("name") or "ray")]),
        settings=tuple(f"{key}={value}" for key, value in said.items()),
    )
    known = attributes.change(Attributes(), asked.settings)
    takes_place = priority > 0 if urgent is None else urgent
    made = dict(ray_options)
    made["runtime_env"] = _runtime_env(dict(ray_options.get("runtime_env") or {}), asked)
    if on_gpu and ray_options.get("num_gpus") is None:
        made["num_gpus"] = placement.fraction(takes_place, known.share)
    if takes_place and not on_gpu:
        made["resources"] = {ONE_A_NODE: 1, **(ray_options.get("resources") or {})}
    return made


def worker_resources(made: Mapping[str, Any]) -> dict[str, float]:
    """What `options` asks for, as Ray Train and placement groups write it.

    ``ScalingConfig(resources_per_worker=worker_resources(made))``, and with it
    ``RunConfig(worker_runtime_env=made["runtime_env"])``.
    """
    names = {"num_cpus": "CPU", "num_gpus": "GPU"}
    asked = {name: made[key] for key, name in names.items() if made.get(key) is not None}
    return {**asked, **(made.get("resources") or {})}


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
    for key in _OTHER_STARTS:
        if own.get(key):
            raise UsageError(
                f"a runtime_env with {key!r} starts workers in a way of its own, which giveway "
                "cannot come before: see docs/cluster.md"
            )
    # Ray merges the job's environment into this one, but each key as a whole.
    inherited = _of_job()
    python = own.get("py_executable") or inherited.get("py_executable")
    if python is None and any(own.get(key) or inherited.get(key) for key in _OWN_PYTHON):
        python = "python"  # by then Ray has put that environment's first on PATH
    return {**own, "py_executable": py_executable(asked, python)}


def _of_job() -> Mapping[str, Any]:
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return {}
    return ray.get_runtime_context().runtime_env or {}
