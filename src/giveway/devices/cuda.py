"""NVIDIA GPUs. They are one device for ``giveway run``: programs choose a GPU themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from giveway.devices import drivers, loader
from giveway.devices.base import Capability, Device
from giveway.devices.stream_gate import DEFAULT_US, stream_gate

_PROC: Final = Path("/proc/driver/nvidia/gpus")
_SECONDS: Final = 10

SONAME: Final = drivers.CUDA.soname("1")
DEFAULT_WINDOW_US: Final = 500


def capabilities() -> dict[str, Capability]:
    """What a closed gate can stop on a GPU."""
    window = os.environ.get("GIVEWAY_WINDOW_US") or DEFAULT_WINDOW_US
    return {
        "launch_gate": Capability(
            True,
            f"before kernels, graphs and copies; in flight {window} µs, or to the next stream gate",
        ),
        "stream_gate": stream_gate(DEFAULT_US),
        "interrupt": Capability(False, "a running kernel is not stopped"),
    }


class Gpu(NamedTuple):
    """One GPU."""

    uuid: str
    """``GPU-…``, which is also the name of the GPU's page."""
    model: str


def find() -> list[Device]:
    """The ``cuda`` device, if this machine has an NVIDIA GPU and its driver."""
    gpus = _from_kernel(_PROC) or _from_tool()
    if not gpus:
        return []
    given = os.environ.get("GIVEWAY_CUDA_LIBRARY")
    models = sorted({gpu.model for gpu in gpus})
    return [
        Device(
            name="cuda",
            description=f"{len(gpus)} × {', '.join(models)}",
            hook=drivers.CUDA.shim("1"),
            capabilities=capabilities(),
            soname=SONAME,
            library=Path(given) if given else next(loader.candidates(SONAME, os.environ), None),
            library_is_given=bool(given),
            pages=tuple(gpu.uuid for gpu in gpus),
        )
    ]


def _from_kernel(folder: Path) -> list[Gpu]:
    """Reads the GPUs from the driver's kernel module, without loading libcuda or NVML."""
    gpus = []
    for path in sorted(folder.glob("*/information")):
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError:
            continue
        fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
        uuid = fields.get("GPU UUID", "")
        # The UUID contains question marks until a process first uses the GPU after boot.
        if uuid.startswith("GPU-") and "?" not in uuid:
            gpus.append(Gpu(uuid, fields.get("Model", "NVIDIA GPU")))
    return gpus


def _from_tool() -> list[Gpu]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(
            [tool, "--query-gpu=uuid,name", "--format=csv,noheader"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = (line.partition(",") for line in done.stdout.splitlines())
    return [Gpu(uuid, name.strip()) for uuid, _, name in rows if uuid.startswith("GPU-")]
