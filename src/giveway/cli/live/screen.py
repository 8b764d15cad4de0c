"""The live screen of `giveway top`."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from giveway.cli.live.rates import SORTS, Rate, Rates
from giveway.cli.live.steering import Steering
from giveway.cli.parts import table
from giveway.cli.parts.table import Column
from giveway.cli.parts.tasks import NO_TASKS, shown_state
from giveway.text import printable

if TYPE_CHECKING:
    from types import FrameType

    from giveway.observe.programs import Program
    from giveway.sched.task import Task

_COLUMNS: Final = (
    Column("DEVICE", keep=2),
    Column("PID", right=True, keep=9),
    Column("NAME", keep=8, least=8),
    Column("PRIORITY", right=True, keep=7),
    Column("STATE", keep=6),
    Column("LAUNCH/S", right=True, keep=4),
    Column("HELD%", right=True, keep=5),
    Column("SHARE%", right=True, keep=3),
    Column("PREEMPTIONS", right=True, keep=1),
    Column("GATE", keep=0),
)
_STYLES: Final = {"active": "green", "held": "yellow", "parked": "cyan", "not gated": "dim"}


@dataclass(frozen=True, slots=True)
class View:
    """The content of the screen at one moment."""

    tasks: list[Task]
    others: list[Program]
    """Programs that have no task."""
    about: str
    """For the title: the policy in service, or how much of the cluster is shown."""
    daemon: Steering = field(default_factory=Steering)
    notes: list[str] = field(default_factory=list)
    """Lines below the tasks."""
    empty: str = NO_TASKS
    """The text to show where there are no tasks."""
    at: Mapping[tuple[str, int], float] = field(default_factory=dict)
    """When each task (device, ticket) was read, on the monotonic clock; now, for a task without an
    entry."""
    update_after: float | None = None
    """Seconds until the next view, where more data may come soon; None: the interval."""


def watch(interval: float, read: Callable[[], View]) -> int:
    """Shows a new view from ``read`` every ``interval`` seconds until `q`. Returns the exit code.

    Restores the terminal, also after an error or a signal.
    """
    rates = Rates()
    order = "p"
    console = Console(file=sys.__stdout__)  # sys.stdout may be redirected, as for Ray
    with (
        _keys() as keyboard,
        _terminated(),
        Live(
            console=console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live,
    ):
        while True:
            view = read()
            rates.update(view.tasks, time.monotonic(), view.daemon.running, view.at)
            due = time.monotonic() + (interval if view.update_after is None else view.update_after)
            while (left := due - time.monotonic()) > 0:
                live.update(_picture(rates, view, order, console), refresh=True)
                key = _wait_key(keyboard, left)
                if key in ("q", ""):
                    return 0
                if key in SORTS:
                    order = str(key)


def _picture(rates: Rates, view: View, order: str, console: Console) -> Text:
    width, height = console.size
    shown = rates.rows(order)
    rows = [
        [
            rate.task.device,
            str(rate.task.pid),
            rate.task.name,
            str(rate.task.priority),
            shown_state(rate.task),
            f"{rate.launches:.0f}",
            f"{100 * rate.held:.0f}",
            _share(rate, view.daemon),
            str(rate.task.preemptions),
            rate.task.gate,
        ]
        for rate in shown
    ]
    rows += [
        [o.device, str(o.pid), o.name, "-", "not gated", "-", "-", "-", "-", "-"]
        for o in view.others
    ]
    header, *lines = table.render(_COLUMNS, rows, width)
    states = [shown_state(rate.task) for rate in shown] + ["not gated" for _ in view.others]

    title = f"giveway: {len(shown)} tasks, by {SORTS[order]}; {view.about}"
    keys = "p priority  l launches  h held  n name  q quit"
    picture = Text(no_wrap=True, overflow="crop")
    picture.append(f"{title}\n", "bold")
    picture.append(f"{keys}\n\n", "dim")
    picture.append(f"{header}\n", "reverse")
    room = max(height - 5 - len(view.notes), 0)
    for line, state in list(zip(lines, states, strict=True))[:room]:
        picture.append(f"{line}\n", _STYLES.get(state, ""))
    if len(lines) > room:
        picture.append(f"… {len(lines) - room} more\n", "dim")
    elif not lines:
        picture.append(f"{view.empty}\n", "dim")
    for note in view.notes:
        picture.append(f"{printable(note)}\n", "yellow")
    picture.right_crop()
    return picture


def _share(rate: Rate, daemon: Steering) -> str:
    """The percentage that the task had, and after a slash the promised one."""
    had = "-" if rate.share is None else f"{100 * rate.share:.0f}"
    promised = daemon.promised.get((rate.task.device, rate.task.ticket))
    return had if promised is None else f"{had}/{promised}"


def _wait_key(keyboard: int, seconds: float) -> str | None:
    """The next key; None if no key came in time, "" if the terminal is gone."""
    ready, _, _ = select.select([keyboard], [], [], seconds)
    return os.read(keyboard, 1).decode("ascii", "replace") if ready else None


@contextlib.contextmanager
def _keys() -> Iterator[int]:
    """Reads keys one by one, without echo, until the end of the block."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    quiet = termios.tcgetattr(keyboard)
    quiet[3] &= ~(termios.ICANON | termios.ECHO)
    # After Ctrl-Z, the shell would write on this screen.
    quiet[6][termios.VSUSP] = b"\0"
    quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0
    termios.tcsetattr(keyboard, termios.TCSANOW, quiet)
    try:
        yield keyboard
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
    """Turns SIGTERM into an exception, so that the terminal is restored."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
