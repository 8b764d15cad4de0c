"""Options that several subcommands take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN

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


def anyway(command: _Command) -> _Command:
    """``--anyway``: measures beside a daemon and other programs, and records them."""
    return click.option(
        "--anyway",
        is_flag=True,
        help="Measure although a daemon or other programs use the machine; the result says so.",
    )(command)


def ray(command: _Command) -> _Command:
    """``--ray [ADDRESS]``, as ``address``: None without the option, empty without a value."""
    return click.option(
        "--ray",
        "address",
        metavar="[ADDRESS]",
        is_flag=False,
        flag_value="",
        help="Show the tasks of all nodes of a Ray cluster. [default ADDRESS: RAY_ADDRESS, or the"
        " cluster of this machine]",
    )(command)


def columns(command: _Command) -> _Command:
    """``--format COLUMN,…`` and ``--csv``, as ``chosen`` and ``as_csv``."""
    command = click.option(
        "--csv", "as_csv", is_flag=True, help="Print CSV, with times in seconds, sizes in bytes."
    )(command)
    return click.option(
        "-o",
        "--format",
        "chosen",
        metavar="COLUMN,…",
        help="Show these columns, in this order.",
    )(command)


def priority(command: _Command) -> _Command:
    """``--priority N``; None without the option: the configuration decides, or nothing changes."""
    return click.option(
        "-p",
        "--priority",
        metavar="N",
        type=PRIORITY,
        help="-1000 to 1000, bigger is more urgent.",
    )(command)


_ATTRIBUTES = {
    "deadline": ("TIME", "Deadline, counted from when the task becomes active, as in 20ms."),
    "laxity": ("TIME", "Total time that the task may wait and still be in time."),
    "share": ("PERCENT", "Share of the device's time."),
    "weight": ("X", "Claim on the device, relative to 1."),
    "slice": ("TIME", "Length of a time slice."),
    "group": ("NAME", "Group of tasks that divide one share."),
}


def memory(command: _Command) -> _Command:
    """``--memory AMOUNT``, as the user wrote it."""
    return click.option(
        "--memory",
        metavar="AMOUNT",
        help="GPU memory for each process at most, as 40GiB or 50%: the program sees such a GPU.",
    )(command)


def reserve(command: _Command) -> _Command:
    """``--reserve AMOUNT``, as the user wrote it."""
    return click.option(
        "--reserve",
        metavar="AMOUNT",
        help="GPU memory that other programs leave to each process, as 60GiB or 40%.",
    )(command)


def parkable(command: _Command) -> _Command:
    """``--parkable`` and ``--no-parkable``; None without either: the configuration decides."""
    return click.option(
        "--parkable/--no-parkable",
        default=None,
        help="Move CMD's GPU memory to host memory while a more urgent program needs it. NVIDIA"
        " only.",
    )(command)


def attributes(command: _Command) -> _Command:
    """``--deadline 20ms`` and so on: attributes for policies, as the user wrote them."""
    for name, (metavar, help_text) in reversed(_ATTRIBUTES.items()):
        command = click.option(f"--{name}", metavar=metavar, help=f"{help_text} [policies]")(
            command
        )
    return command


class Number(click.ParamType):  # type: ignore[type-arg]  # generic since 8.4
    """A number of the command line, whose errors are in words."""

    name = "number"

    def __init__(self, least: float, most: float | None = None, *, whole: bool = False) -> None:
        self.least = least
        self.most = most
        self.whole = whole

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | int:
        """The number; an int where it has to be whole."""
        try:
            number = int(value) if self.whole else float(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a {'whole ' if self.whole else ''}number", param, ctx)
        if not self.least <= number <= (math.inf if self.most is None else self.most):
            self.fail(f"{value} is not {self._range()}", param, ctx)
        if math.isinf(number):
            self.fail(f"{value} is too long", param, ctx)
        return number

    def _range(self) -> str:
        if self.most is None:
            return f"{self.least:g} or more"
        return f"in {self.least:g}…{self.most:g}"


PRIORITY: Final = Number(PRIORITY_MIN, PRIORITY_MAX, whole=True)
"""The type of a priority on the command line."""
