"""Whether the shim will use stream gates on this machine, determined without running it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from giveway.devices.base import Capability
from giveway.errors import PageError
from giveway.page.observer import page_path

VARIABLE: Final = "GIVEWAY_STREAM_GATE_US"
DEFAULT_US: Final = 250
"""The default on NVIDIA: device time between two gates on a stream, in microseconds."""

_PINNABLE: Final = ("tmpfs", "ramfs", "hugetlbfs")
"""File systems whose files exist only in memory, so that a driver can pin their pages."""


def stream_gate(default_us: float, mounts: Path = Path("/proc/self/mountinfo")) -> Capability:
    """The capability that `giveway doctor` shows."""
    try:
        us = float(os.environ.get(VARIABLE) or default_us)
    except ValueError:
        us = default_us
    if us <= 0:
        off = f"{VARIABLE} is 0" if default_us else f"off unless {VARIABLE} is set; never tried"
        return Capability(False, f"{off}: what is in flight runs to its end")
    kind = _filesystem(mounts)
    if kind is not None and kind not in _PINNABLE:
        return Capability(
            False, f"the gate pages are on {kind}: drivers want them in memory, as in /dev/shm"
        )
    return Capability(True, f"between kernels that wait on the device, every {us:g} µs of them")


def _filesystem(mounts: Path) -> str | None:
    """The type of the file system of the gate pages, existing or not; None: unknown."""
    try:
        folder = page_path("cpu").parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        device = folder.stat().st_dev
        lines = mounts.read_text(errors="replace").splitlines()
    except (OSError, PageError):
        return None
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        fields, _, rest = line.partition(" - ")
        if fields.split()[2:3] == [number]:
            return rest.split()[0] if rest else None
    return None
