"""What a task's slack looks like in a table."""

from __future__ import annotations

from giveway.sched.task import Task


def slowdown(task: Task) -> str | None:
    """The measured slowdown and, after a slash, the tolerated one; None: nothing is tolerated."""
    if not task.price:
        return None
    measured = "?" if task.slowdown is None else f"{task.slowdown:.0f}%"
    return f"{measured}/{task.tolerance:g}%"


def together(task: Task) -> str | None:
    """For which part of the time less urgent tasks ran beside this one, of the time in which both
    had work; and the delay that they may still cause."""
    if not task.price or task.contended_seconds <= 0:
        return None
    share = 100 * task.beside_seconds / task.contended_seconds
    return f"{share:.0f}% {1e3 * task.credit_seconds:+.1f}ms"
