"""Options that several subcommands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from giveway.task import PRIORITY_MAX, PRIORITY_MIN

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _known_device(_context: click.Context, _parameter: click.Parameter, name: str | None) -> Any:
    if name is not None:
        from giveway import devices

        devices.get(name)
    return name


def device(help_text: str, default: str | None = None) -> Callable[[_Command], _Command]:
    """``--device D``, checked against the devices of this machine."""
    return click.option(
        "-d",
        "--device",
        metavar="D",
        default=default,
        show_default=default is not None,
        callback=_known_device,
        help=help_text,
    )


PRIORITY = click.IntRange(PRIORITY_MIN, PRIORITY_MAX)
"""The type of a priority on the command line."""
