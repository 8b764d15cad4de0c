"""Answers requests, given a host."""

from __future__ import annotations

import os
import time
from typing import Any

from giveway import attributes
from giveway.daemon.host import Host
from giveway.daemon.requests import Request
from giveway.errors import NoSuchTaskError, UsageError
from giveway.policies import registry
from giveway.policies.base import Policy
from giveway.task import TaskId


def answer(host: Host, request: Request) -> dict[str, Any]:
    """Does what was asked, and says how it is now.

    Raises:
        GivewayError: it cannot be done.
    """
    if request.do == "policy":
        policy = _make(request.policy)
        host.use(policy)
        if host.scheduler.policy is not policy:
            raise UsageError(f"policy {policy.name} fails at once: giveway events says how")
    elif request.do in ("pause", "resume"):
        id_ = choose(host, request)
        host.pause(id_, request.do == "pause")
        return {**host.describe(id_), "policy": host.scheduler.policy.name}
    elif request.do == "events":
        return {"last": host.log.last}
    return status(host)


def _make(text: str) -> Policy:
    try:
        return registry.make(text)
    except Exception:
        raise
    except BaseException as error:  # a module that exits is no reason to exit
        raise UsageError(f"policy {text!r} cannot be made: {type(error).__name__}") from None


def choose(host: Host, request: Request) -> TaskId:
    """The one task that is meant: of that name, else the process's own.

    Raises:
        NoSuchTaskError: nothing fits.
        UsageError: more than one does.
    """
    of_process = [
        (id_, task)
        for id_, task in host.known.items()
        if task.pid == request.pid and request.device in (None, id_.device)
    ]
    if request.name is None:
        fit = [id_ for id_, task in of_process if not task.is_thread]
        fit = fit or [id_ for id_, _ in of_process]
    else:
        fit = [id_ for id_, task in of_process if task.name == request.name]
    if not fit:
        what = "" if request.name is None else f" named {request.name!r}"
        raise NoSuchTaskError(
            f"process {request.pid} has no task{what}: giveway ps lists the tasks there are"
        )
    if len(fit) > 1:
        names = ", ".join(sorted(f"{host.known[id_].name} on {id_.device}" for id_ in fit))
        raise UsageError(
            f"process {request.pid} has several such tasks ({names}): say --name or --device"
        )
    return fit[0]


def status(host: Host) -> dict[str, Any]:
    """How things are. Times are seconds; counts are since the daemon has known a task."""
    now = time.monotonic_ns()
    tasks = []
    for id_, task in host.known.items():
        view = host.scheduler.view.tasks[id_]
        by = view.held_by
        tasks.append(
            {
                **host.describe(id_),
                "ticket": id_.ticket,
                "active": task.active,
                "open": task.gate == 0,
                "paused": host.is_paused(id_),
                "held_by": host.describe(by) if by is not None and by in host.known else None,
                "running_seconds": view.used(now) / 1e9,
                "attributes": attributes.show(view.attributes),
                "waits": task.figures.waits.to_json(),
                "bursts": task.figures.bursts.to_json(),
            }
        )
    return {
        "pid": os.getpid(),
        "policy": host.scheduler.policy.name,
        "last_event": host.log.last,
        "decisions": host.latency.to_json(),
        "devices": {device: busy.seconds(now) for device, busy in host.busy.items()},
        "tasks": tasks,
    }
