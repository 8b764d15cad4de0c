"""On the node, in the process that becomes a Ray worker: puts it under giveway."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from giveway import launch
from giveway.errors import GivewayError
from giveway.ray.asked import Asked
from giveway.version import __version__


def worker(text: str, arguments: list[str]) -> NoReturn:
    """Becomes ``python ARGUMENTS…`` under giveway, or without it and with a line that says why."""
    asked = Asked.read(text)
    if asked.version != __version__:
        _say(f"it is version {__version__} here and {asked.version} where it was asked for")
    command = [sys.executable, *arguments]
    try:
        launch.run(command, asked.device, asked.priority, asked.name, asked.settings)
    except GivewayError as error:
        _say(f"{error}: a worker runs ungated")
    os.execv(sys.executable, command)


def _say(what: str) -> None:
    # Ray shows what comes before its own first line as the raylet's, so the node is said here.
    print(f"giveway: on {os.uname().nodename} {what}", file=sys.stderr, flush=True)
