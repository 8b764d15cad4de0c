"""``giveway.ray.options``: ordinary Ray options that start a worker under giveway."""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping
from typing import Any, Final

from giveway import devices, launch
from giveway.devices import memory as device_memory
from giveway.errors import UsageError, choices
from giveway.ray.command import py_executable, python_of
from giveway.ray.worker_start import WorkerStart
from giveway.sched import attributes, placement
from giveway.sched.memory import parse
from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN, Attributes

# Every node has exactly one of each resource with this prefix, without configuration. Ray Serve
# limits its replicas on a node by such resources.
ONE_A_NODE: Final = "node:__internal_implicit_resource_giveway_urgent"
"""The Ray resource that an urgent task takes as a whole on a node's cpu device."""

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
    "device: use urgent=False"
)


def options(
    priority: int = 0,
    share: float | str | None = None,
    device: str | None = None,
    *,
    urgent: bool | None = None,
    settings: Mapping[str, object] | None = None,
    gpu_memory: str | None = None,
    gpu_reserve: str | None = None,
    parkable: bool | None = None,
    **ray_options: Any,
) -> dict[str, Any]:
    """Ray options with which the worker process starts under giveway.

    For tasks and actors (``.options(**options)``, ``@ray.remote(**options)``) and Ray Serve
    (``ray_actor_options=options``); for Ray Train see `worker_resources`.

    Args:
        priority: -1000 to 1000, bigger is more urgent.
        share: percent of the device's time, for policies. Tasks that are not urgent fit beside an
            urgent task until their shares add up to 100; without shares, one task fits.
        device: ``cpu``, ``cuda`` or ``hip``. None: a GPU if ``num_gpus`` is given and not 0, else
            if the connected cluster has GPUs, else (not connected) if this machine has one.
        urgent: whether the task takes the one urgent place of a device; by default, whether its
            priority is above 0.
        settings: attributes for policies, such as ``{"deadline": "20ms"}``.
        gpu_memory: the limit of the worker's device memory, as ``40GiB`` or ``50%``. (Ray's own
            ``memory`` is that of the host.)
        gpu_reserve: the device memory that others leave to the worker, in the same form.
        parkable: whether more urgent programs that need device memory may park the worker, on
            NVIDIA GPUs.
        ray_options: Ray's own options, passed on. A ``num_gpus`` here replaces giveway's. ``name``
            is also the name in ``giveway ps``. A ``runtime_env`` is kept: its ``py_executable`` or
            LD_PRELOAD still applies, under giveway.

    Raises:
        UsageError: an argument that cannot be right, or a runtime environment (given or inherited)
            that starts workers in its own way, such as a container.
    """
    if device is not None and device not in devices.KINDS:
        raise UsageError(f"unknown device {device!r}: {choices(device, devices.KINDS)}")
    for name, amount in (("gpu_memory", gpu_memory), ("gpu_reserve", gpu_reserve)):
        if amount is not None:
            parse(amount, name)
    on_gpu = _is_gpu(device, ray_options.get("num_gpus"))
    given = {**({} if share is None else {"share": share}), **(settings or {})}
    return request(
        priority,
        device,
        given,
        ray_options,
        on_gpu=on_gpu,
        urgent=urgent,
        memory=gpu_memory,
        reserve=gpu_reserve,
        parkable=parkable,
    )


def request(
    priority: int,
    device: str | None,
    settings: Mapping[str, object],
    ray_options: Mapping[str, Any],
    *,
    on_gpu: bool,
    urgent: bool | None = None,
    memory: str | None = None,
    reserve: str | None = None,
    parkable: bool | None = None,
) -> dict[str, Any]:
    """The result of `options` for a known kind of device. Raises as `options` does.

    Args:
        priority: as for `options`.
        device: as for `options`; None: any GPU, or the cpu device.
        settings: attributes for policies, with the share.
        ray_options: as for `options`.
        on_gpu: whether the device is a GPU.
        urgent: as for `options`.
        memory: as for `options`, as are ``reserve`` and ``parkable``.
    """
    if "priority" in settings:
        raise UsageError("priority is not a setting: use priority=N")
    start = WorkerStart(
        priority=_whole(priority),
        device=device if on_gpu else "cpu",
        name=launch.derive_name([str(ray_options.get("name") or "ray")]),
        settings=tuple(f"{key}={value}" for key, value in settings.items()),
        memory=memory,
        reserve=reserve,
        parkable=parkable,
    )
    _check_memory(start, on_gpu=on_gpu)
    known = attributes.change(Attributes(), start.settings)
    takes_place = start.priority > 0 if urgent is None else urgent
    made = dict(ray_options)
    made["runtime_env"] = _runtime_env(dict(ray_options.get("runtime_env") or {}), start)
    if on_gpu and ray_options.get("num_gpus") is None:
        made["num_gpus"] = placement.fraction(takes_place, known.share)
    if takes_place and not on_gpu:
        if _in_placement_group(ray_options):
            raise UsageError(_NO_PLACE)
        made["resources"] = {ONE_A_NODE: 1, **(ray_options.get("resources") or {})}
    return made


def worker_resources(made: Mapping[str, Any]) -> dict[str, float]:
    """The resources of `options`, in the form of Ray Train and placement groups.

    ``ScalingConfig(resources_per_worker=worker_resources(made))``, and with it
    ``RunConfig(worker_runtime_env=made["runtime_env"])``.

    Raises:
        UsageError: the resources include the urgent place of a node's cpu device. Ray never grants
            that to a placement group, so workers would wait without end.
    """
    if ONE_A_NODE in (made.get("resources") or {}):
        raise UsageError(_NO_PLACE)
    names = {"num_cpus": "CPU", "num_gpus": "GPU"}
    resources = {name: made[key] for key, name in names.items() if made.get(key) is not None}
    return {**resources, **(made.get("resources") or {})}


def _check_memory(start: WorkerStart, *, on_gpu: bool) -> None:
    device_memory.read(start.memory, start.reserve)
    if (start.memory is not None or start.reserve is not None) and not on_gpu:
        raise UsageError("memory is limited and reserved on GPUs, not on the cpu device")
    if start.parkable and (not on_gpu or start.device == "hip"):
        raise UsageError("only programs on NVIDIA GPUs can be parkable")


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
    ray = sys.modules.get("ray")  # a process that has not imported Ray is not connected
    if ray is not None and ray.is_initialized():
        return bool(ray.cluster_resources().get("GPU"))
    return devices.default() != "cpu"


def _runtime_env(own: dict[str, Any], start: WorkerStart) -> dict[str, Any]:
    # Ray merges the environment of the job, or of the calling actor, into this one key by key. An
    # inherited `py_executable` of giveway is replaced, so that two do not start each other.
    merged = {**_inherited(), **own}
    for key in _OTHER_STARTS:
        if merged.get(key):
            source = "a runtime_env" if key in own else "the runtime_env that is inherited here,"
            raise UsageError(
                f"{source} with {key!r} starts workers in its own way, and giveway cannot "
                "start before them: see docs/guides/cluster.md"
            )
    python = python_of(merged.get("py_executable"))
    return {**own, "py_executable": py_executable(start, python)}


def _inherited() -> Mapping[str, Any]:
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return {}
    return ray.get_runtime_context().runtime_env or {}
