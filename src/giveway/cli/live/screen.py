"""The live screen of `giveway top`."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from giveway.cli.live.columns import SHOWN
from giveway.cli.live.rates import SORTS, Rates
from giveway.cli.live.view import View
from giveway.cli.parts.tasks import Field, lines
from giveway.text import printable

if TYPE_CHECKING:
    from types import FrameType

_STYLES: Final = {"active": "green", "held": "yellow", "parked": "cyan", "not gated": "dim"}


def watch(interval: float, read: Callable[[], View], chosen: Sequence[Field] | None = None) -> int:
    """Shows a new view from ``read`` every ``interval`` seconds until `q`. Returns the exit code.

    Shows the ``chosen`` columns, or else those that fit. Restores the terminal, also after an
    error or a signal.
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
                live.update(picture(rates, view, order, chosen, console.size), refresh=True)
                key = _wait_key(keyboard, left)
                if key in ("q", ""):
                    return 0
                if key in SORTS:
                    order = str(key)


def picture(
    rates: Rates,
    view: View,
    order: str,
    chosen: Sequence[Field] | None,
    size: tuple[int, int],
) -> Text:
    width, height = size
    shown = view.rows(rates, order)
    header, *below = lines(shown, width, chosen, SHOWN)
    title = f"giveway: {len(view.tasks)} tasks, by {SORTS[order]}; {view.about}"
    keys = "p priority  l launches  h held  n name  q quit"
    picture = Text(no_wrap=True, overflow="crop")
    picture.append(f"{title}\n", "bold")
    picture.append(f"{keys}\n\n", "dim")
    picture.append(f"{header}\n", "reverse")
    room = max(height - 5 - len(view.notes), 0)
    for line, row in list(zip(below, shown, strict=True))[:room]:
        picture.append(f"{line}\n", _STYLES.get(row.state, ""))
    if len(below) > room:
        picture.append(f"… {len(below) - room} more\n", "dim")
    elif not below:
        picture.append(f"{view.empty}\n", "dim")
    for note in view.notes:
        picture.append(f"{printable(note)}\n", "yellow")
    picture.right_crop()
    return picture


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
