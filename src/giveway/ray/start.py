"""On the node, in the process that becomes a Ray worker: puts it under giveway."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from giveway import devices, launch
from giveway.errors import GivewayError
from giveway.ray.asked import Asked
from giveway.version import __version__


def worker(text: str, command: list[str]) -> NoReturn:
    """Becomes the command under giveway, or without it and with a line that says why.

    Who calls it starts the command whatever else is raised.
    """
    asked = Asked.read(text)
    if asked.version != __version__:
        _say(f"it is version {__version__} here and {asked.version} where it was asked for")
    try:
        _gated(asked, command)
    except GivewayError as error:
        _say(f"{error}: a worker runs ungated")
    os.execv(command[0], command)


def _gated(asked: Asked, command: list[str]) -> NoReturn:
    device = devices.get(devices.default() if asked.device is None else asked.device)
    if asked.device is None and device.name == "cpu":
        _say("giveway finds no GPU, and one was asked for: a worker shares the cpu device")
    if not device.gates:
        raise GivewayError(device.notice or f"{device.name} cannot be gated")
    launch.become(command, device, asked.priority, asked.name, asked.settings, _say)


def _say(what: str) -> None:
    # Ray shows what comes before its own first line as the raylet's, so the node is said here.
    print(f"giveway: on {os.uname().nodename} {what}", file=sys.stderr, flush=True)
