"""The earlier import path of events and decisions; use `giveway.policies`."""

from giveway.sched.task import (
    Active,
    Attributes,
    Changed,
    Close,
    Decision,
    Event,
    Idle,
    Joined,
    Left,
    Only,
    Open,
    Task,
    TaskId,
    Tick,
    WakeAt,
)

__all__ = [
    "Active",
    "Attributes",
    "Changed",
    "Close",
    "Decision",
    "Event",
    "Idle",
    "Joined",
    "Left",
    "Only",
    "Open",
    "Task",
    "TaskId",
    "Tick",
    "WakeAt",
]
