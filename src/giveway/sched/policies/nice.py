"""Priority from the CPU's nice value."""

from __future__ import annotations

from giveway.sched.policies.base import TaskView
from giveway.sched.policies.priority import Priority


class Nice(Priority):
    """Strict priority by CPU nice value: the higher value gives way; ties go by priority.

    For programs that already run under ``nice``. The host keeps the attribute in step with the
    process.

    Source: nice, as POSIX.1-2017 defines it ("a lower nice value shall cause more favorable
    scheduling").
    """

    name = "nice"

    def urgency(self, task: TaskView) -> tuple[int, ...]:
        return (-task.attributes.nice, task.attributes.priority)
