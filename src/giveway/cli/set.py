"""``giveway set``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from giveway.cli import options
from giveway.errors import NoSuchTaskError, UsageError

if TYPE_CHECKING:
    from giveway.task import Task


@click.command("set")
@click.argument("pid", type=options.Number(1, whole=True))
@click.option(
    "-p",
    "--priority",
    metavar="N",
    type=options.PRIORITY,
    required=True,
    help="-1000 to 1000, bigger is more urgent.",
)
@click.option("-n", "--name", metavar="S", help="Which of the tasks of PID. [default: its own]")
@options.device("Which device. [default: the one that PID uses]")
def command(pid: int, priority: int, name: str | None, device: str | None) -> None:
    """Change the priority of a running task.

    It takes effect on the task's next launch. PID is as in giveway ps.

    \b
    Examples:
      giveway set 4242 --priority 5
      giveway set 4242 --name loader --priority -5    a thread with a task of its own
    """
    from giveway.cli import tasks

    of_page = [(page, task) for page in tasks.pages(device) for task in page.tasks()]
    chosen = choose([task for _, task in of_page], pid, name)
    for page, task in of_page:
        if task is chosen:
            page.set_priority(task.ticket, priority)
    click.echo(f"{chosen.name} ({pid}): priority {chosen.priority} → {priority}")


def choose(tasks: list[Task], pid: int, name: str | None) -> Task:
    """The one task that is meant: of that name, else the process's own.

    Raises:
        NoSuchTaskError: nothing fits.
        UsageError: more than one does.
    """
    of_process = [task for task in tasks if task.pid == pid]
    if name is None:
        fit = [task for task in of_process if not task.is_thread] or of_process
    else:
        fit = [task for task in of_process if task.name == name]
    if not fit:
        what = f"process {pid} has no task" + ("" if name is None else f" named {name!r}")
        raise NoSuchTaskError(f"{what}: giveway ps lists the tasks there are")
    if len(fit) > 1:
        names = ", ".join(sorted(f"{task.name} on {task.device}" for task in fit))
        raise UsageError(f"process {pid} has several such tasks ({names}): say --name or --device")
    return fit[0]
