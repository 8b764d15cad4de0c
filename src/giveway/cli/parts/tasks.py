"""Tasks as a table, for `ps` and for `top` without a terminal."""

from __future__ import annotations

from typing import Final

from giveway.cli.parts.table import Column, render
from giveway.observe.programs import Program
from giveway.sched.task import Task

NO_TASKS: Final = "No program runs under giveway. Start one with: giveway run -- CMD"

COLUMNS: Final = (
    Column("DEVICE", keep=2),
    Column("PID", right=True, keep=9),
    Column("NAME", keep=8, least=8),
    Column("PRIORITY", right=True, keep=7),
    Column("STATE", keep=6),
    Column("LAUNCHES", right=True, keep=4),
    Column("HELD", right=True, keep=5),
    Column("PREEMPTIONS", right=True, keep=3),
    Column("GATE", keep=1),
)


def shown_state(task: Task) -> str:
    """The state to show: work that giveway does not see is no rest."""
    return "not gated" if task.unseen else task.state


def row(task: Task) -> list[str]:
    """The cells of a task under `COLUMNS`."""
    return [
        task.device,
        str(task.pid),
        f"{task.name} ({task.job})" if task.job else task.name,
        str(task.priority),
        shown_state(task),
        str(task.launches),
        f"{task.held_seconds:.1f}s",
        str(task.preemptions),
        task.gate,
    ]


def lines(tasks: list[Task], others: list[Program], width: int | None) -> list[str]:
    """The table, its header first. A line below names each program that cannot be gated, and why.

    Args:
        others: programs that have no task.
        width: columns of the terminal; None: no limit.
    """
    rows = [row(task) for task in tasks]
    rows += [
        [other.device, str(other.pid), other.name, "-", "not gated", "-", "-", "-", "-"]
        for other in others
    ]
    below = [f"{other.name} ({other.pid}) {other.why}" for other in others if other.why]
    return render(COLUMNS, rows, width) + below
