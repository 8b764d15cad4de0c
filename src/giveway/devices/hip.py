"""AMD GPUs, all as one device to ``giveway run``: programs choose theirs themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from giveway.devices.base import Capability, Device
from giveway.page import library_path

GENERATIONS: Final = ("7", "6", "5")
"""Of libamdhip64 that there are shims for; the newest first."""
LIBRARY: Final = "libamdhip64.so"

_NODES: Final = Path("/sys/class/kfd/kfd/topology/nodes")
_FOLDERS: Final = ("/opt/rocm/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")

CAPABILITIES: Final = {
    "launch_gate": Capability(
        True, "before kernels, graphs and copies; work in flight is bounded by GIVEWAY_WINDOW_US"
    ),
    "stream_gate": Capability(False, "not in this version: what is in flight runs to its end"),
    "interrupt": Capability(False, "a kernel that runs is not stopped"),
}


class Gpu(NamedTuple):
    """One GPU."""

    page: str
    """The name of its page, as the shim derives it from what the runtime says."""
    model: str


def find() -> list[Device]:
    """The ``hip`` device, where the kernel's compute driver lists an AMD GPU."""
    gpus = _from_kernel(_NODES)
    if not gpus:
        return []
    models = sorted({gpu.model for gpu in gpus})
    return [
        Device(
            name="hip",
            description=f"{len(gpus)} × {', '.join(models)}",
            hook=shim(_generation(os.environ)),
            capabilities=CAPABILITIES,
            pages=tuple(gpu.page for gpu in gpus),
        )
    ]


def _from_kernel(nodes: Path) -> list[Gpu]:
    """From the driver's topology: no library of AMD's is loaded for this."""
    gpus = []
    for node in sorted(nodes.glob("*"), key=lambda path: (len(path.name), path.name)):
        try:
            lines = (node / "properties").read_text(errors="replace").splitlines()
            model = (node / "name").read_text(errors="replace").strip()
        except OSError:
            continue
        pairs = (line.partition(" ") for line in lines)
        said = {key: int(value) for key, _, value in pairs if value.isdigit()}
        if said.get("simd_count", 0):  # nodes without are processors
            gpus.append(Gpu(_page(said), model or "AMD GPU"))
    return gpus


def _page(said: Mapping[str, int]) -> str:
    if said.get("unique_id", 0):
        return f"GPU-{said['unique_id']:016x}"
    bus = said.get("location_id", 0)
    domain = said.get("domain", 0)
    return f"GPU-pci-{domain:04x}-{bus >> 8 & 0xFF:02x}-{bus >> 3 & 0x1F:02x}.{bus & 7:x}"


def _generation(environment: Mapping[str, str]) -> str:
    """Of the runtime that programs here will most likely load."""
    for path in _candidates(environment):
        for generation in GENERATIONS:
            if path.name.startswith(f"{LIBRARY}.{generation}"):
                return generation
    return GENERATIONS[0]


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    given = environment.get("GIVEWAY_HIP_LIBRARY")
    if given:
        yield Path(given).resolve()
    for folder in folders(environment):
        yield from sorted(folder.glob(f"{LIBRARY}.*"), reverse=True)


def folders(environment: Mapping[str, str]) -> list[Path]:
    """Where programs look for AMD's libraries."""
    listed = [*environment.get("LD_LIBRARY_PATH", "").split(":"), *_FOLDERS]
    return [Path(folder) for folder in listed if folder]


def shim(generation: str) -> Path:
    """The library that stands in for the runtime of a generation."""
    return library_path().parent / "hip" / f"{LIBRARY}.{generation}"
