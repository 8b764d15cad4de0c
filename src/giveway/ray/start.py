"""Puts a Ray worker under giveway. Runs on the node, in the process that becomes the worker."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from giveway import devices, launch
from giveway.devices import memory
from giveway.errors import GivewayError
from giveway.ray.worker_start import WorkerStart
from giveway.text import printable
from giveway.version import __version__


def worker(text: str, command: list[str]) -> NoReturn:
    """Becomes the command under giveway, or else without giveway after a line with the reason.

    The caller starts the command after any other exception.
    """
    options = WorkerStart.from_text(text)
    if options.version != __version__:
        _warn(f"giveway is version {__version__} here and {options.version} on the driver")
    try:
        _become_gated(options, command)
    except GivewayError as error:
        _warn(f"{error}: a worker runs ungated")
    os.execv(command[0], command)


def _become_gated(options: WorkerStart, command: list[str]) -> NoReturn:
    device = devices.choose(options.device)
    if options.device is None and device.name == "cpu":
        _warn("giveway finds no GPU, though one was requested: a worker shares the cpu device")
    if not device.gates:
        raise GivewayError(device.notice or f"{device.name} cannot be gated")
    parkable = options.parkable if device.name == "cuda" else None  # others have no such calls
    wanted = memory.read(options.memory, options.reserve, parkable)
    launch.become(
        command, device, options.priority, options.name, options.settings, _warn, wanted=wanted
    )


def _warn(message: str) -> None:
    # Ray attributes lines before the worker's own first line to the raylet. So this names the node.
    line = f"giveway: on {os.uname().nodename} {message}"
    print(printable(line), file=sys.stderr, flush=True)
