"""``giveway set``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from giveway.cli.parts import options
from giveway.cli.parts.lines import echo_line
from giveway.errors import UsageError
from giveway.sched import attributes
from giveway.sched import memory as memory_amounts

if TYPE_CHECKING:
    from giveway.page.observer import Page
    from giveway.sched.task import Task


@click.command("set")
@click.argument("pid", type=options.Number(1, whole=True))
@click.argument("settings", nargs=-1, metavar="[ATTRIBUTE=VALUE]...")
@options.priority
@click.option(
    "--slowdown",
    metavar="PERCENT",
    help="The tolerance: by how much less urgent programs may slow the task down, 0% to 100%.",
)
@click.option("-n", "--name", metavar="S", help="Which task of PID. [default: that of the process]")
@options.memory
@options.device("Device of the task. [default: the device that PID uses]")
def command(
    pid: int,
    settings: tuple[str, ...],
    priority: int | None,
    slowdown: str | None,
    name: str | None,
    memory: str | None,
    device: str | None,
) -> None:
    """Change the priority or another attribute of a task.

    A priority takes effect on the task's next launch, a memory limit on its next allocation, and a
    slowdown within 20 ms of work. The other attributes are weight, share,
    deadline, laxity, slice, nice, group and focused. They have an effect under a policy that reads
    them (giveway serve), and stay with the task when the policy changes. The value none restores an
    attribute's default.

    \b
    Examples:
      giveway set 4242 --priority 5
      giveway set 4242 --slowdown 20%
      giveway set 4242 --memory 60GiB
      giveway set 4242 deadline=20ms share=30
      giveway set 4242 share=none
      giveway set 4242 --name loader --priority -5
    """
    from giveway.observe import select, tasks

    if priority is not None:
        settings = (*settings, f"priority={priority}")
    if slowdown is not None:
        settings = (*settings, f"slowdown={slowdown}")
    if not settings and memory is None:
        raise UsageError(
            "nothing to set: use --priority N, --slowdown PERCENT, --memory AMOUNT or"
            " ATTRIBUTE=VALUE"
        )
    changes = attributes.changes(settings)
    if "job" in changes:
        raise UsageError("a running program cannot change its job: start it with giveway run --job")
    of_page = [(page, task) for page in tasks.pages(device) for task in page.tasks()]
    limit = 0
    chosen = select.choose([task for _, task in of_page], pid, name)
    for page, task in of_page:
        if task is chosen:
            text = attributes.write(page.attributes(task.ticket), changes)
            if memory is not None:
                limit = _set_memory(page, task, memory)
            if set(changes) - {"priority"}:
                page.set_attributes(task.ticket, text)
            if "priority" in changes:
                page.set_priority(task.ticket, int(changes["priority"] or 0))
    words = _report(chosen, changes) + ([] if memory is None else [_memory_report(chosen, limit)])
    echo_line(f"{chosen.name} ({pid}): {' '.join(words)}")


def _set_memory(page: Page, task: Task, text: str) -> int:
    """The new limit in bytes; 0: none."""
    if task.memory is None:
        raise UsageError(f"--memory is for GPUs: {task.name} ({task.pid}) is on {task.device}")
    limit = 0
    if text != attributes.NONE:
        total, context = page.memory()
        limit = memory_amounts.parse(text, "--memory").of(total)
        if total and limit > total:
            raise UsageError(
                f"--memory {memory_amounts.show(limit)} is more than the"
                f" {memory_amounts.show(total)} of {task.device}"
            )
        if limit <= context:
            raise UsageError(
                f"--memory {memory_amounts.show(limit)} is too little: a context takes"
                f" {memory_amounts.show(context)}"
            )
    page.set_memory_limit(task.ticket, limit)
    return limit


def _memory_report(task: Task, limit: int) -> str:
    before, after = (
        memory_amounts.show(size) if size else attributes.NONE
        for size in (task.memory_limit, limit)
    )
    used = task.memory or 0
    beyond = f", and {memory_amounts.show(used)} are in use" if 0 < limit < used else ""
    return f"memory {before} → {after}{beyond}"


def _report(task: Task, changes: dict[str, str | None]) -> list[str]:
    words = []
    for name, value in changes.items():
        if name == "priority":
            words.append(f"priority {task.priority} → {value or 0}")
        else:
            words.append(f"{name}={value or 'none'}")
    return words
