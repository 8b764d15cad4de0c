"""Damage inside a result: values that JSON allows, and that no run has written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from giveway.errors import UsageError


@contextlib.contextmanager
def said(*folders: Path) -> Iterator[None]:
    """Turns an error of computing with the results in ``folders`` into one line.

    Raises:
        UsageError: the line; it names the folders.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        where = ", ".join(map(str, folders))
        raise UsageError(f"{where} is damaged: {type(error).__name__}: {error}") from error
