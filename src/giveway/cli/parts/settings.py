"""The settings of a program that a command starts: its options, then the configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping

from giveway.config import resolve
from giveway.config.keys import KEYS


def choose(
    name: str,
    priority: int | None,
    options: Mapping[str, str | None],
    memory: str | None = None,
    reserve: str | None = None,
    parkable: bool | None = None,
) -> tuple[int, list[str]]:
    """The priority of a program, and its attributes as ``KEY=VALUE``.

    Settings that programs read from the environment are set there, unless an option states them.

    Args:
        name: the name of the program's task.
        priority: that of the command line; None: not stated.
        options: the attributes of the command line; None: not stated.
        memory: as for `launch.run`, as are ``reserve`` and ``parkable``; None: not stated.

    Raises:
        UsageError: a configuration file or a variable is invalid.
    """
    stated = {
        **options,
        "priority": None if priority is None else str(priority),
        "memory": memory,
        "reserve": reserve,
        "parkable": None if parkable is None else str(parkable).lower(),
    }
    values = resolve.resolve(name, resolve.current_directory(), stated, os.environ)
    chosen = {key: value for key, value in values.items() if value.source != "built in"}
    for key, known in KEYS.items():
        if (convert := known.to_variable) is None or (value := chosen.pop(key, None)) is None:
            continue
        if value.source != "option":
            os.environ[f"GIVEWAY_{key.upper()}"] = convert(value.text)
    number = int(chosen.pop("priority").text) if "priority" in chosen else 0
    return number, [f"{key}={value.text}" for key, value in chosen.items()]
