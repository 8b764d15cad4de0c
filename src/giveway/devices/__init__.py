"""The devices of this machine. A name in `KINDS`, and the file of that name here with a
``find() -> list[Device]``, are a kind of device."""

from __future__ import annotations

import importlib
from typing import Final

from giveway.devices.base import Capability, Device
from giveway.errors import UsageError

__all__ = ["KINDS", "Capability", "Device", "default", "find", "get"]

KINDS: Final = ("cuda", "hip", "cpu")
"""Of devices, here or elsewhere; the preferred ones first."""


def find() -> list[Device]:
    """Every device that this machine has and this version of giveway can gate."""
    found: list[Device] = []
    for kind in sorted(KINDS):
        found += importlib.import_module(f"{__name__}.{kind}").find()
    return found


def default() -> str:
    """What ``giveway run`` gates unless told otherwise: the GPU, where there is one."""
    found = {device.name for device in find()}
    return next(name for name in KINDS if name in found)


def get(name: str) -> Device:
    """The device of that name.

    Raises:
        UsageError: there is none here.
    """
    found = find()
    for device in found:
        if device.name == name:
            return device
    known = ", ".join(device.name for device in found)
    raise UsageError(f"unknown device {name!r}: this machine has {known} (see giveway doctor)")
