"""``giveway set``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from giveway.cli.parts import options
from giveway.errors import UsageError

if TYPE_CHECKING:
    from giveway.sched.task import Task


@click.command("set")
@click.argument("pid", type=options.Number(1, whole=True))
@click.argument("settings", nargs=-1, metavar="[ATTRIBUTE=VALUE]...")
@click.option(
    "-p",
    "--priority",
    metavar="N",
    type=options.PRIORITY,
    help="-1000 to 1000, bigger is more urgent.",
)
@click.option("-n", "--name", metavar="S", help="Which of the tasks of PID. [default: its own]")
@options.device("Which device. [default: the one that PID uses]")
def command(
    pid: int,
    settings: tuple[str, ...],
    priority: int | None,
    name: str | None,
    device: str | None,
) -> None:
    """Change a running task: its priority, or what else policies go by.

    A priority takes effect on the task's next launch. The other attributes matter to the policies
    that read them (giveway serve), and stay with the task whatever policy is in service: weight,
    share, deadline, laxity, slice, nice, group, focused. The value none takes back what was said.

    \b
    Examples:
      giveway set 4242 --priority 5
      giveway set 4242 deadline=20ms share=30
      giveway set 4242 share=none
      giveway set 4242 --name loader --priority -5    a thread with a task of its own
    """
    from giveway.observe import select, tasks
    from giveway.sched import attributes

    if priority is not None:
        settings = (*settings, f"priority={priority}")
    if not settings:
        raise UsageError("nothing to set: say --priority N or ATTRIBUTE=VALUE")
    changes = attributes.changes(settings)
    of_page = [(page, task) for page in tasks.pages(device) for task in page.tasks()]
    chosen = select.choose([task for _, task in of_page], pid, name)
    for page, task in of_page:
        if task is chosen:
            said = attributes.write(page.attributes(task.ticket), changes)
            if set(changes) - {"priority"}:
                page.set_attributes(task.ticket, said)
            if "priority" in changes:
                page.set_priority(task.ticket, int(changes["priority"] or 0))
    click.echo(f"{chosen.name} ({pid}): {_report(chosen, changes)}")


def _report(task: Task, changes: dict[str, str | None]) -> str:
    words = []
    for name, value in changes.items():
        if name == "priority":
            words.append(f"priority {task.priority} → {value or 0}")
        else:
            words.append(f"{name}={value or 'none'}")
    return " ".join(words)
