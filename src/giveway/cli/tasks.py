"""What `ps`, `top` and `set` read: the tasks of one device, or of all."""

from __future__ import annotations

from typing import Final

from giveway import devices
from giveway.cli.table import Column
from giveway.errors import PageError
from giveway.page import NO_PAGE, Page, page_names
from giveway.task import Task

COLUMNS: Final = (
    Column("DEVICE", keep=2),
    Column("PID", right=True, keep=9),
    Column("NAME", keep=8, least=8),
    Column("PRIORITY", right=True, keep=7),
    Column("STATE", keep=6),
    Column("LAUNCHES", right=True, keep=4),
    Column("HELD", right=True, keep=5),
    Column("PREEMPTIONS", right=True, keep=3),
)


def pages(device: str | None = None) -> list[Page]:
    """The gate pages there are; a device that nothing has run on has none.

    Raises:
        PageError: there is one, and it cannot be used.
    """
    found = []
    for name in devices.get(device).pages if device else page_names():
        try:
            found.append(Page.open(name))
        except PageError as error:
            if error.code != NO_PAGE:
                raise
    return found


def read(device: str | None = None) -> list[Task]:
    """The live tasks, by device, the most urgent first."""
    tasks = [task for page in pages(device) for task in page.tasks()]
    return sorted(tasks, key=lambda task: (task.device, -task.priority, task.pid, task.ticket))


def row(task: Task) -> list[str]:
    """The cells of a task under `COLUMNS`."""
    return [
        task.device,
        str(task.pid),
        task.name,
        str(task.priority),
        task.state,
        str(task.launches),
        f"{task.held_seconds:.1f}s",
        str(task.preemptions),
    ]
