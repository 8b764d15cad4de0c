"""The state of the daemon, for `top`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, int]
"""A device and a ticket."""


@dataclass(frozen=True, slots=True)
class Steering:
    """The policy in service, and the daemon's figures of each task."""

    policy: str | None = None
    """None: priorities decide, without a daemon."""
    running: Mapping[Key, float] = field(default_factory=dict)
    """Seconds for which a task had work and an open gate."""
    promised: Mapping[Key, str] = field(default_factory=dict)
    """Percent of the device's time."""

    def __str__(self) -> str:
        return "by priority, no daemon" if self.policy is None else f"policy {self.policy}"


def read() -> Steering:
    """The present state. A daemon that does not answer at once counts as absent."""
    from giveway.daemon.client import Client
    from giveway.errors import GivewayError

    try:
        with Client(timeout=0.3) as daemon:
            return from_status(daemon.status())
    except GivewayError:
        return Steering()


def from_status(status: Mapping[str, Any]) -> Steering:
    """The state in an answer of the daemon."""
    tasks = {(task["device"], int(task["ticket"])): task for task in status["tasks"]}
    return Steering(
        str(status["policy"]),
        {key: float(task["running_seconds"]) for key, task in tasks.items()},
        {
            key: str(task["attributes"]["share"])
            for key, task in tasks.items()
            if "share" in task["attributes"]
        },
    )
