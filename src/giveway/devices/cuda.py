"""NVIDIA GPUs. They are one device for ``giveway run``: programs choose a GPU themselves."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from giveway.devices import drivers, loader
from giveway.devices.base import Capability, Device, Gpu
from giveway.devices.stream_gate import DEFAULT_US, stream_gate

_PROC: Final = Path("/proc/driver/nvidia")
_GPUS: Final = _PROC / "gpus"
# Windows' subsystem for Linux has the last of them only.
_NODES: Final = (
    _PROC,
    *map(Path, ("/dev/nvidia0", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1")),
)
_SECONDS: Final = 5

SONAME: Final = drivers.CUDA.soname("1")
DEFAULT_WINDOW_US: Final = 500
FIRST_WITH_CHECKPOINTS: Final = 570
_VERSION: Final = re.compile(r"  (\d+)\.[\d.]+")


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
        "memory_limit": Capability(
            True, "allocations, arrays and graphs beyond it fail; CUDA and NVML show it"
        ),
        "parking": parking(),
    }


def parking() -> Capability:
    """Whether the driver can move a program's memory to the host, as far as its version says."""
    try:
        found = _VERSION.search((_PROC / "version").read_text())
    except OSError:
        found = None
    if found is not None and int(found[1]) < FIRST_WITH_CHECKPOINTS:
        return Capability(
            False, f"driver {found[0].strip()} cannot: {FIRST_WITH_CHECKPOINTS} and newer can"
        )
    return Capability(True, "of one process, without managed or shared memory: giveway park")


def find() -> list[Device]:
    """The ``cuda`` device, where a node of the kernel's driver says that there is a GPU.

    It is also there where the user names a driver.
    """
    given = os.environ.get("GIVEWAY_CUDA_LIBRARY")
    if not given and not any(path.exists() for path in _NODES):
        return []
    return [
        Device(
            name="cuda",
            hook=drivers.CUDA.shim("1"),
            capabilities=capabilities(),
            soname=SONAME,
            library=Path(given) if given else next(loader.candidates(SONAME, os.environ), None),
            library_is_given=bool(given),
            find_gpus=_gpus,
        )
    ]


def hint() -> str | None:
    """What looks as if there were such a GPU, where `find` finds none."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if visible not in ("", "-1", "NoDevFiles"):
        return f"CUDA_VISIBLE_DEVICES is {visible}"
    if shutil.which("nvidia-smi") is not None:
        return "nvidia-smi is installed"
    return None


def _gpus() -> list[Gpu]:
    listed = _from_kernel(_GPUS)
    if listed and all(gpu.page for gpu in listed):
        return listed
    return _from_tool(shutil.which("nvidia-smi")) or [gpu for gpu in listed if gpu.page]


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
        known = uuid.startswith("GPU-") and "?" not in uuid
        gpus.append(Gpu(uuid if known else "", fields.get("Model", "NVIDIA GPU")))
    return gpus


@functools.cache
def _from_tool(tool: str | None) -> list[Gpu]:
    """Asks nvidia-smi, once in a process: ``giveway run`` never needs the answer."""
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
