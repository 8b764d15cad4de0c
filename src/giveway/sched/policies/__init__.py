"""The scheduling policies: one file per policy, found by name in ``registry``."""

from giveway.sched.policies.base import Policy, TaskView, View, everyone, only

__all__ = ["Policy", "TaskView", "View", "everyone", "only"]
