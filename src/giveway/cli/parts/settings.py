"""The settings of a program that a command starts: its options, then the configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping

from giveway.config import resolve


def choose(
    name: str, priority: int | None, options: Mapping[str, str | None]
) -> tuple[int, list[str]]:
    """The priority of a program, and its other settings as ``KEY=VALUE``.

    Args:
        name: the name of the program's task.
        priority: that of the command line; None: not stated.
        options: the other settings of the command line; None: not stated.

    Raises:
        UsageError: a configuration file or a variable is invalid.
    """
    stated = {**options, "priority": None if priority is None else str(priority)}
    values = resolve.resolve(name, resolve.current_directory(), stated, os.environ)
    chosen = {key: value.text for key, value in values.items() if value.source != "built in"}
    number = int(chosen.pop("priority", "0"))
    return number, [f"{key}={text}" for key, text in chosen.items()]
