"""The focused program first."""

from __future__ import annotations

from giveway.sched.policies.base import TaskView
from giveway.sched.policies.priority import Priority


class Focus(Priority):
    """The process whose window has the focus runs first; then strict priority.

    The host sets ``focused`` where it can read the focus from the window system. ``giveway set PID
    focused=yes`` sets the attribute by hand.

    Source: Y. Etsion, D. Tsafrir, D. G. Feitelson, "Desktop Scheduling: How Can We Know What the
    User Wants?", NOSSDAV 2004.
    """

    name = "window"

    def urgency(self, task: TaskView) -> tuple[int, ...]:
        return (int(task.attributes.focused), task.attributes.priority)
