"""The program in front of the user first."""

from __future__ import annotations

from giveway.sched.policies.base import TaskView
from giveway.sched.policies.priority import Priority


class Window(Priority):
    """Strict priority, and before it the process whose window has the focus.

    The host sets ``focused`` where it can see windows; ``giveway set PID focused=yes`` does so by
    hand.

    Source: Y. Etsion, D. Tsafrir, D. G. Feitelson, "Desktop Scheduling: How Can We Know What the
    User Wants?", NOSSDAV 2004.
    """

    name = "window"

    def urgency(self, task: TaskView) -> tuple[int, ...]:
        return (int(task.attributes.focused), task.attributes.priority)
