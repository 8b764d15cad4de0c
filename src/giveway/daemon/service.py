"""Answers requests, given a host."""

from __future__ import annotations

import os
from typing import Any

from giveway import attributes, which
from giveway.daemon.host import Host
from giveway.daemon.requests import Request
from giveway.errors import UsageError
from giveway.policies import registry
from giveway.policies.base import Policy


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
        there = [task for task in host.known.values() if request.device in (None, task.device)]
        task = which.choose(there, request.pid, request.name)
        host.pause(task.id, request.do == "pause")
        return {**task.about, "policy": host.scheduler.policy.name}
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


def status(host: Host) -> dict[str, Any]:
    """How things are. Times are seconds; counts are since the daemon has known a task."""
    now = host.clock()
    tasks = []
    for id_, task in host.known.items():
        view = host.scheduler.view.tasks[id_]
        by = host.known.get(view.held_by) if view.held_by is not None else None
        tasks.append(
            {
                **task.about,
                "ticket": id_.ticket,
                "active": task.active,
                "open": task.gate == 0,
                "paused": task.paused,
                "held_by": by.about if by is not None else None,
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
