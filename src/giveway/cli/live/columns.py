"""The columns of `giveway top`: those of `ps`, with rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from giveway.cli.live.rates import Rate
from giveway.cli.parts.table import Column
from giveway.cli.parts.tasks import FIELDS, Field, Row


def _of_rate(read: Callable[[Rate], float | None]) -> Callable[[Row], float | None]:
    return lambda row: None if row.rate is None else read(row.rate)


def _share(row: Row) -> Any:
    """The percentage that the task had, and after a slash the promised one."""
    had = None if row.rate is None or row.rate.share is None else f"{100 * row.rate.share:.0f}"
    return had if row.promised is None else f"{had or '-'}/{row.promised}"


_RATES: Final = (
    Field(
        Column("LAUNCH/S", right=True, keep=60),
        _of_rate(lambda rate: round(rate.launches, 1)),
        lambda number: f"{number:.0f}",
    ),
    Field(
        Column("HELD%", right=True, keep=90),
        _of_rate(lambda rate: round(100 * rate.held, 1)),
        lambda number: f"{number:.0f}",
    ),
    Field(Column("SHARE%", right=True, keep=55), _share, optional=True),
)
_WITHOUT: Final = ("launches", "held")
"""Totals, in whose place `top` shows rates."""


def _shown() -> list[Field]:
    at = next(at for at, field in enumerate(FIELDS) if field.name in _WITHOUT)
    kept = [field for field in FIELDS if field.name not in _WITHOUT]
    return [*kept[:at], *_RATES, *kept[at:]]


SHOWN: Final = tuple(_shown())
"""What `top` shows."""
KNOWN: Final = (*FIELDS, *_RATES)
"""What `top` can show."""
