"""Tasks as a table or as CSV, for `ps` and `top`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from giveway.cli.parts import table
from giveway.cli.parts.lines import echo_line
from giveway.cli.parts.table import Column, terminal_width
from giveway.errors import UsageError
from giveway.observe.details import UNKNOWN, Details, Key, key
from giveway.observe.programs import Program
from giveway.sched.task import Task
from giveway.text import printable

if TYPE_CHECKING:
    from giveway.cli.live.rates import Rate

NO_TASKS: Final = "No program runs under giveway. Start one with: giveway run -- CMD"

_NONE: Final = "-"
_UNKNOWN: Final = ""
"""Stands for a value that is not known yet, so that its column is shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """A task, or a program that has none."""

    shown: Task | Program
    details: Details = UNKNOWN
    rate: Rate | None = None
    promised: str | None = None
    """Percent of the device's time."""

    @property
    def task(self) -> Task | None:
        return self.shown if isinstance(self.shown, Task) else None

    @property
    def state(self) -> str:
        """The state to show: work that giveway does not see is no rest."""
        return "not gated" if self.task is None or self.task.unseen else self.task.state


@dataclass(frozen=True, slots=True)
class Field:
    """A column with its cells."""

    column: Column
    value: Callable[[Row], Any]
    """The value as CSV has it; None: there is none."""
    text: Callable[[Any], str] = str
    """The value as the table has it."""
    optional: bool = False
    """A table without ``--format`` leaves the column out where no row has a value."""

    @property
    def name(self) -> str:
        """The name for ``--format`` and for CSV."""
        return self.column.title.lower()

    def cell(self, row: Row) -> str:
        value = self.value(row)
        return _NONE if value is None else self.text(value)


def _of_task(read: Callable[[Task], Any]) -> Callable[[Row], Any]:
    return lambda row: None if row.task is None else read(row.task)


def _of_slack(read: Callable[[Task], Any]) -> Callable[[Row], Any]:
    """Reads a task that tolerates a slowdown."""
    return _of_task(lambda task: read(task) if task.slack else None)


def _gpu_memory_bytes(row: Row) -> int | None:
    """The task's memory on its GPU, from the best of the counts that there are."""
    counted = row.task.memory if row.task is not None else None
    return row.details.gpu_memory_bytes if counted is None else counted


def size(count: int) -> str:
    """A number of bytes in at most five characters, with binary units."""
    if count < 1024:
        return f"{count}B"
    power = next((power for power in (1, 2, 3) if count < 999.5 * 1024**power), 4)
    number = count / 1024**power
    return f"{number:.{int(number < 99.95)}f}{' KMGT'[power]}"


FIELDS: Final = (
    Field(Column("DEVICE", keep=20, least=12), lambda row: row.shown.device),
    Field(Column("GPU", right=True, keep=80), lambda row: row.details.gpu, optional=True),
    Field(Column("PID", right=True, keep=130), lambda row: row.shown.pid),
    Field(Column("USER", keep=50, least=8), lambda row: row.details.user, optional=True),
    Field(Column("NAME", keep=120, least=8), lambda row: row.shown.name),
    Field(Column("JOB", keep=30, least=8), _of_task(lambda task: task.job or None), optional=True),
    Field(Column("PRIORITY", right=True, keep=110), _of_task(lambda task: task.priority)),
    Field(Column("STATE", keep=100), lambda row: row.state),
    Field(Column("GPU-MEM", right=True, keep=70), _gpu_memory_bytes, size, optional=True),
    Field(
        Column("HOST-MEM", right=True, keep=65),
        _of_task(lambda task: task.memory_host or None),
        size,
        optional=True,
    ),
    Field(
        Column("MEM-PEAK", right=True, keep=15),
        _of_task(lambda task: task.memory_peak),
        size,
        optional=True,
    ),
    Field(Column("LAUNCHES", right=True, keep=60), _of_task(lambda task: task.launches)),
    Field(
        Column("HELD", right=True, keep=90),
        _of_task(lambda task: round(task.held_seconds, 3)),
        lambda seconds: f"{seconds:.1f}s",
    ),
    Field(Column("PREEMPTIONS", right=True, keep=25), _of_task(lambda task: task.preemptions)),
    Field(
        Column("TOLERANCE", right=True, keep=82),
        _of_slack(lambda task: task.tolerance),
        lambda percent: f"{percent:g}%",
        optional=True,
    ),
    Field(
        Column("SLOWDOWN", right=True, keep=85),
        _of_slack(lambda task: _UNKNOWN if task.slowdown is None else round(task.slowdown, 1)),
        lambda percent: "?" if percent is _UNKNOWN else f"{percent:g}%",
        optional=True,
    ),
    Field(Column("SLACK", keep=81), _of_slack(lambda task: task.slack), optional=True),
    Field(
        Column("CREDIT", right=True, keep=84),
        _of_slack(lambda task: round(task.credit_seconds, 6)),
        lambda seconds: f"{1e3 * seconds:.1f}ms",
        optional=True,
    ),
    Field(
        Column("TOGETHER", right=True, keep=83),
        _of_slack(lambda task: None if task.together is None else round(task.together, 1)),
        lambda percent: f"{percent:.0f}%",
        optional=True,
    ),
    Field(Column("GATE", keep=10), _of_task(lambda task: task.gate)),
    Field(Column("POD", keep=35, least=12), lambda row: row.details.pod.pod or None, optional=True),
    Field(Column("COMMAND", keep=40, least=12), lambda row: row.details.command, optional=True),
)
"""The columns of `ps`."""


def rows(
    tasks: Iterable[Task], others: Iterable[Program], details: Mapping[Key, Details]
) -> list[Row]:
    """A row for each task, and then for each program that has none."""
    shown: list[Task | Program] = [*tasks, *others]
    return [Row(each, details.get(key(each), UNKNOWN)) for each in shown]


def lines(
    rows: Sequence[Row],
    width: int | None,
    chosen: Sequence[Field] | None = None,
    fields: Sequence[Field] = FIELDS,
) -> list[str]:
    """The table, its header first.

    Args:
        width: columns of the terminal; None: no limit.
        chosen: the fields to show; None: those of ``fields`` that have values.
    """
    shown = chosen or [
        field
        for field in fields
        if not field.optional or any(field.value(row) is not None for row in rows)
    ]
    cells = [[field.cell(row) for field in shown] for row in rows]
    columns = [field.column for field in shown]
    return table.render(columns, cells, width, all_columns=chosen is not None)


def reasons(rows: Iterable[Row]) -> list[str]:
    """A line for each program that cannot be gated, with the reason."""
    programs = (row.shown for row in rows if isinstance(row.shown, Program))
    return [f"{each.name} ({each.pid}) {each.why}" for each in programs if each.why]


def csv_line(values: Iterable[object]) -> str:
    """Values as a line of CSV, names without control characters."""
    line = io.StringIO()
    cells = ("" if value is None else printable(str(value)) for value in values)
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def show(rows: Sequence[Row], chosen: Sequence[Field] | None, *, as_csv: bool = False) -> None:
    """Prints the table, as wide as the terminal, or CSV with all fields that are not chosen away.

    Below the table, a line names each program that cannot be gated, and why.
    """
    if as_csv:
        fields = FIELDS if chosen is None else chosen
        echo_line(csv_line(field.name for field in fields))
        for row in rows:
            echo_line(csv_line(field.value(row) for field in fields))
        return
    for line in (*lines(rows, terminal_width(), chosen), *reasons(rows)):
        echo_line(line)


def choose(text: str, fields: Sequence[Field]) -> list[Field]:
    """The fields of a list of names such as ``pid,name``.

    Raises:
        UsageError: a name that no field has.
    """
    named = {field.name: field for field in fields}
    words = [word.strip().lower() for word in text.split(",")]
    for word in words:
        if word not in named:
            raise UsageError(f"--format: no column {word!r}; there are {', '.join(named)}")
    return [named[word] for word in words]
