"""`giveway top --csv`: the tasks and their rates as lines of CSV, again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from giveway.cli.live.rates import Rates
from giveway.cli.live.view import View
from giveway.cli.parts.lines import echo_line
from giveway.cli.parts.tasks import Field, csv_line


def write(
    interval: float, count: int | None, read: Callable[[], View], fields: Sequence[Field]
) -> None:
    """Prints a line for each task at the end of each interval, with the time before its fields.

    Args:
        interval: seconds.
        count: the number of intervals; None: without end.
        read: takes a view.
        fields: the columns.
    """
    rates = Rates()
    _update(rates, read())
    due = time.monotonic()
    echo_line(csv_line(["time", *(field.name for field in fields)]))
    done = 0
    while count is None or done < count:
        sys.stdout.flush()
        due += interval
        time.sleep(max(due - time.monotonic(), 0))
        view = read()
        _update(rates, view)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        for row in view.rows(rates, "p"):
            echo_line(csv_line([now, *(field.value(row) for field in fields)]))
        done += 1


def _update(rates: Rates, view: View) -> None:
    rates.update(view.tasks, time.monotonic(), view.daemon.running, view.at)
