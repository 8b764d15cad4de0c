"""The devices of this machine. A kind of device has a name in `KINDS` and a module of that name in
this folder with a function ``find() -> list[Device]``."""

from __future__ import annotations

import importlib
from typing import Final

from giveway.devices.base import Capability, Device
from giveway.errors import UsageError

__all__ = ["KINDS", "Capability", "Device", "default", "find", "get"]

KINDS: Final = ("cuda", "hip", "cpu")
"""All kinds of devices, whether this machine has one or not; the preferred ones first."""


def find() -> list[Device]:
    """Every device of this machine that this version of giveway can gate."""
    found: list[Device] = []
    for kind in sorted(KINDS):
        found += importlib.import_module(f"{__name__}.{kind}").find()
    return found


def default() -> str:
    """The default device of ``giveway run``: a GPU if this machine has one."""
    found = {device.name for device in find()}
    return next(name for name in KINDS if name in found)


def get(name: str) -> Device:
    """The device of that name.

    Raises:
        UsageError: this machine has no such device.
    """
    found = find()
    for device in found:
        if device.name == name:
            return device
    known = ", ".join(device.name for device in found)
    raise UsageError(f"unknown device {name!r}: this machine has {known} (see giveway doctor)")
