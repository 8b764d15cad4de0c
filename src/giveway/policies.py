"""The names that a user's own policy imports; docs/guides/own-policy.md shows an example. They are
defined in `giveway.sched`."""

from giveway.sched.policies import Policy, TaskView, View, everyone, only
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
    Shares,
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
    "Policy",
    "Shares",
    "TaskId",
    "TaskView",
    "Tick",
    "View",
    "WakeAt",
    "everyone",
    "only",
]
