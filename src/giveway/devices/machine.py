"""The machine and the software of a measurement, to print beside the numbers."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import psutil

from giveway import devices
from giveway.devices.nvml import Utilization


def machine(device: str = "cpu") -> dict[str, object]:
    """The device, CPU model, cores that this process may use, memory in bytes, and the system."""
    return {
        "device": devices.get(device).description,
        "driver": Utilization().driver() if device == "cuda" else None,
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
    }


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that a result depends on; None: not installed."""
    packages = ("giveway", "torch", "torchvision", "numpy")
    return {"python": platform.python_version()} | {name: _version(name) for name in packages}


def _cpu_model() -> str:
    # platform.processor() is empty on most Linux systems.
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
