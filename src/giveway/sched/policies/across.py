"""Strict priority across the devices of a process."""

from __future__ import annotations

from collections.abc import Iterator

from giveway.sched.policies.base import Policy, TaskView, View
from giveway.sched.task import Close, Decision, Event, Open, TaskId


class PriorityAcross(Policy):
    """Strict priority over all devices of a process: while the process has work on one device, less
    urgent tasks wait on its other devices too.

    The process then finds its other devices free when it gets to them. A task that itself waits
    holds no other task. As with `priority`, less urgent tasks may starve.

    Source: heterogeneous highest priority first, in W. Shen et al., "XSched: Preemptive Scheduling
    for Diverse XPUs", OSDI 2025. The idea of reserving a program's other processors is from J. K.
    Ousterhout, "Scheduling Techniques for Concurrent Systems", ICDCS 1982.
    """

    name = "priority-across"

    def decide(self, event: Event, view: View, now: int) -> Iterator[Decision]:
        devices = _linked(event.device, view)
        active = [task for device in devices for task in view.active(device)]
        claims: dict[str, tuple[int, TaskId]] = {}  # the holder of a device and its priority
        for task in sorted(active, key=lambda task: -task.attributes.priority):
            if _passes(task, claims) and not task.shares:
                for own in view.of(task.pid):
                    claims.setdefault(own.id.device, (task.attributes.priority, task.id))
        for device in devices:
            for task in view.on(device):
                if _passes(task, claims):
                    yield Open(task.id)
                else:
                    yield Close(task.id, claims[device][1])


def _linked(device: str, view: View) -> list[str]:
    """The devices connected to this one through processes with tasks on both, transitively."""
    found = {device: None}
    left = [device]
    while left:
        for task in view.on(left.pop()):
            for other in view.of(task.pid):
                if other.id.device not in found:
                    found[other.id.device] = None
                    left.append(other.id.device)
    return list(found)


def _passes(task: TaskView, claims: dict[str, tuple[int, TaskId]]) -> bool:
    claim = claims.get(task.id.device)
    return claim is None or task.attributes.priority >= claim[0]
