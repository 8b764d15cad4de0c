"""``giveway set``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from giveway.cli.parts import options
from giveway.cli.parts.lines import echo_line
from giveway.errors import UsageError

if TYPE_CHECKING:
    from giveway.sched.task import Task


@click.command("set")
@click.argument("pid", type=options.Number(1, whole=True))
@click.argument("settings", nargs=-1, metavar="[ATTRIBUTE=VALUE]...")
@options.priority
@click.option(
    "--slowdown", metavar="PERCENT", help="How much slower less urgent programs may make the task."
)
@click.option("-n", "--name", metavar="S", help="Which task of PID. [default: that of the process]")
@options.device("Device of the task. [default: the device that PID uses]")
def command(
    pid: int,
    settings: tuple[str, ...],
    priority: int | None,
    slowdown: str | None,
    name: str | None,
    device: str | None,
) -> None:
    """Change the priority or another attribute of a task.

    A priority takes effect on the task's next launch, and a slowdown within 20 ms of work. The
    other attributes are weight, share,
    deadline, laxity, slice, nice, group and focused. They have an effect under a policy that reads
    them (giveway serve), and stay with the task when the policy changes. The value none restores an
    attribute's default.

    \b
    Examples:
      giveway set 4242 --priority 5
      giveway set 4242 --slowdown 20%
      giveway set 4242 deadline=20ms share=30
      giveway set 4242 share=none
      giveway set 4242 --name loader --priority -5
    """
    from giveway.observe import select, tasks
    from giveway.sched import attributes

    if priority is not None:
        settings = (*settings, f"priority={priority}")
    if slowdown is not None:
        settings = (*settings, f"slowdown={slowdown}")
    if not settings:
        raise UsageError("nothing to set: use --priority N, --slowdown PERCENT or ATTRIBUTE=VALUE")
    changes = attributes.changes(settings)
    if "job" in changes:
        raise UsageError("a running program cannot change its job: start it with giveway run --job")
    of_page = [(page, task) for page in tasks.pages(device) for task in page.tasks()]
    chosen = select.choose([task for _, task in of_page], pid, name)
    for page, task in of_page:
        if task is chosen:
            text = attributes.write(page.attributes(task.ticket), changes)
            if set(changes) - {"priority"}:
                page.set_attributes(task.ticket, text)
            if "priority" in changes:
                page.set_priority(task.ticket, int(changes["priority"] or 0))
    echo_line(f"{chosen.name} ({pid}): {_report(chosen, changes)}")


def _report(task: Task, changes: dict[str, str | None]) -> str:
    words = []
    for name, value in changes.items():
        if name == "priority":
            words.append(f"priority {task.priority} → {value or 0}")
        else:
            words.append(f"{name}={value or 'none'}")
    return " ".join(words)
