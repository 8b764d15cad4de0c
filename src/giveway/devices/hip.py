"""AMD GPUs. They are one device for ``giveway run``: programs choose a GPU themselves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from giveway.devices import loader
from giveway.devices.base import Capability, Device, Gpu
from giveway.devices.drivers import HIP
from giveway.devices.stream_gate import stream_gate

VARIABLE: Final = "GIVEWAY_HIP_LIBRARY"
"""The variable that names the runtime, if it is not the one that the loader finds."""

_DEVICE: Final = Path("/dev/kfd")
_NODES: Final = Path("/sys/class/kfd/kfd/topology/nodes")
_PROCESSES: Final = Path("/sys/class/kfd/kfd/proc")
_NAMESPACE: Final = Path("/proc/self/ns/pid")
_FIRST_NAMESPACE: Final = 0xEFFFFFFC
"""The inode of the PID namespace that the kernel starts with, the same on all machines."""
_FOLDERS: Final = ("/opt/rocm/lib",)


def capabilities() -> dict[str, Capability]:
    """What a closed gate can stop on a GPU."""
    return {
        "launch_gate": Capability(
            True,
            "before kernels, graphs and copies; work in flight is bounded by GIVEWAY_WINDOW_US",
        ),
        "stream_gate": stream_gate(0),
        "interrupt": Capability(False, "a running kernel is not stopped"),
        "memory_limit": Capability(
            True,
            "allocations, arrays and graphs beyond it fail; HIP shows it, SMI does not",
        ),
        "parking": Capability(False, "AMD's driver cannot move a program's memory to the host"),
    }


def find() -> list[Device]:
    """The ``hip`` device, if this machine has an AMD GPU: the node of the kernel's compute driver.

    It is also there where the user names a runtime.
    """
    given = bool(os.environ.get(VARIABLE))
    listed = _gpus() if _NODES.exists() else None
    if not given and (not _DEVICE.exists() or listed == []):
        return []
    generation, library = installed(os.environ)
    return [
        Device(
            name="hip",
            hook=HIP.shim(generation),
            soname=HIP.soname(generation),
            library=library,
            library_is_given=given,
            capabilities=capabilities(),
            # Triton opens the runtime by its path. If AMD's Python packages include a runtime,
            # Triton refuses to run beside a second one, for which it mistakes the hook.
            defaults={"TRITON_LIBHIP_PATH": str(HIP.shim(generation))},
            unless=("TRITON_LIBHIP_PATH",),
            find_gpus=_gpus,
        )
    ]


def hint() -> str | None:
    """What looks as if there were such a GPU, where `find` finds none."""
    for name in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        if os.environ.get(name, "") not in ("", "-1"):
            return f"{name} is {os.environ[name]}"
    return f"{_NODES} lists one" if _gpus() else None


def _gpus() -> list[Gpu]:
    return _from_kernel(_NODES)


def gpu_numbers() -> dict[str, int]:
    """The number of each GPU, by the name of its page, as rocm-smi counts."""
    return {gpu.page: number for number, gpu in enumerate(_gpus())}


def memory(page: str) -> dict[int, int]:
    """The bytes that each process uses on the GPU of a page, by pid. Empty where the kernel does
    not say, and in a container: the kernel names processes by their pids outside.
    """
    node = next((node for node, gpu in _by_node(_NODES) if gpu.page == page), None)
    try:
        if node is None or _NAMESPACE.stat().st_ino != _FIRST_NAMESPACE:
            return {}
        file = f"vram_{(node / 'gpu_id').read_text().strip()}"
    except OSError:
        return {}
    found = {}
    for process in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):  # it has ended, or does not use this GPU
            found[int(process.name)] = int((process / file).read_text())
    return found


def _from_kernel(nodes: Path) -> list[Gpu]:
    return [gpu for _, gpu in _by_node(nodes)]


def _by_node(nodes: Path) -> Iterator[tuple[Path, Gpu]]:
    """Reads the GPUs from the driver's topology, without loading a library of AMD."""
    for node in sorted(nodes.glob("*"), key=lambda path: (len(path.name), path.name)):
        try:
            lines = (node / "properties").read_text(errors="replace").splitlines()
            model = (node / "name").read_text(errors="replace").strip()
        except OSError:
            continue
        pairs = (line.partition(" ") for line in lines)
        fields = {key: int(value) for key, _, value in pairs if value.isdigit()}
        if fields.get("simd_count", 0):  # nodes without SIMD units are CPUs
            yield node, Gpu(_page(fields), model or "AMD GPU")


def _page(fields: Mapping[str, int]) -> str:
    if fields.get("unique_id", 0):
        return f"GPU-{fields['unique_id']:016x}"
    bus = fields.get("location_id", 0)
    domain = fields.get("domain", 0)
    return f"GPU-pci-{domain:04x}-{bus >> 8 & 0xFF:02x}-{bus >> 3 & 0x1F:02x}.{bus & 7:x}"


def installed(environment: Mapping[str, str]) -> tuple[str, Path | None]:
    """The generation of the runtime that programs most likely load, and the path of that runtime.

    If no runtime of a known generation is installed, the runtime may be of another generation.
    """
    given = environment.get(VARIABLE)
    if given:
        return _generation(Path(given).resolve()) or HIP.generations[0], Path(given)
    found = list(_candidates(environment))
    for path in found:
        generation = _generation(path)
        if generation is not None:
            return generation, path
    return HIP.generations[0], next(iter(found), None)


def _generation(library: Path) -> str | None:
    """The generation from the name of a library; None: missing or not known."""
    known = HIP.generations
    return next((g for g in known if f"{library.name}.".startswith(f"{HIP.soname(g)}.")), None)


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    for folder in filter(None, environment.get("LD_LIBRARY_PATH", "").split(":")):
        yield from _in(folder)
    for generation in HIP.generations:
        yield from loader.cached(HIP.soname(generation))
    for folder in (*loader.FOLDERS, *_FOLDERS):
        yield from _in(folder)


def folders(environment: Mapping[str, str]) -> list[Path]:
    """The folders in which programs search for AMD's libraries."""
    listed = environment.get("LD_LIBRARY_PATH", "").split(":")
    return [Path(folder) for folder in (*listed, *loader.FOLDERS, *_FOLDERS) if folder]


def _in(folder: str) -> list[Path]:
    found = sorted(Path(folder).glob(f"{HIP.stem}.*"), reverse=True)
    return [path for path in found if loader.is_of_this_machine(path)]
