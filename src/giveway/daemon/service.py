"""Carries out the requests of clients on a host."""

from __future__ import annotations

import os
from typing import Any

from giveway.daemon.host import Host
from giveway.daemon.requests import Request
from giveway.errors import UsageError
from giveway.observe import select
from giveway.sched import attributes
from giveway.sched.policies import registry
from giveway.sched.policies.base import Policy


def answer(host: Host, request: Request) -> dict[str, Any]:
    """Carries out a request and returns the answer.

    Raises:
        GivewayError: the request cannot be carried out.
    """
    if request.do == "policy":
        policy = _make(request.policy)
        host.use(policy)
        if host.scheduler.policy is not policy:
            raise UsageError(f"policy {policy.name} fails at once: giveway events shows the error")
    elif request.do in ("pause", "resume"):
        tasks = [task for task in host.tasks.values() if request.device in (None, task.device)]
        task = select.choose(tasks, request.pid, request.name)
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
    except BaseException as error:  # a module that exits must not end the daemon
        raise UsageError(f"policy {text!r} cannot be made: {type(error).__name__}") from None


def status(host: Host) -> dict[str, Any]:
    """The policy, all tasks and devices. Times are in seconds. The counts of a task start when the
    daemon first sees it."""
    now = host.clock()
    tasks = []
    for id_, task in host.tasks.items():
        view = host.scheduler.view.tasks[id_]
        by = host.tasks.get(view.held_by) if view.held_by is not None else None
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
