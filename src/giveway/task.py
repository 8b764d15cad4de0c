"""The earlier import path of what policies hear and decide; `giveway.policies` has it all."""

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
