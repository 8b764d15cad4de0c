"""Reads the tasks of one device or of all devices, and the programs without a task."""

from __future__ import annotations

from giveway import devices
from giveway.errors import PageError
from giveway.observe import programs, unseen
from giveway.observe.programs import Program
from giveway.page.library import NO_PAGE
from giveway.page.observer import Page, page_names
from giveway.sched.task import Task


def pages(device: str | None = None) -> list[Page]:
    """The existing gate pages; a device that no program has run on has none.

    Raises:
        PageError: a page exists and cannot be used.
    """
    found = []
    if device is not None:
        devices.get(device)  # reports an unknown one
    for name in page_names(device):
        try:
            found.append(Page.open(name))
        except PageError as error:
            if error.code != NO_PAGE:
                raise
    return found


def read(device: str | None = None) -> list[Task]:
    """The live tasks, sorted by device; on each device, the most urgent first.

    Raises:
        PageError: as `pages`.
    """
    tasks = [task for page in pages(device) for task in page.tasks()]
    return sorted(tasks, key=lambda task: (task.device, -task.priority, task.pid, task.ticket))


def snapshot(device: str | None = None) -> tuple[list[Task], list[Program]]:
    """The tasks of a device (None: of all devices), and the programs under giveway without a task.

    Raises:
        PageError: as `pages`.
    """
    tasks: list[Task] = []

    def read_tasks() -> list[Task]:
        tasks.extend(unseen.find(read))
        return tasks

    others = programs.not_gated(read_tasks)
    if device is None:
        return tasks, others
    pages = page_names(device)
    return (
        [task for task in tasks if task.device in pages],
        [other for other in others if other.device == device],
    )
