"""AMD GPUs, all as one device to ``giveway run``: programs choose theirs themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from giveway.devices import loader
from giveway.devices.base import Capability, Device
from giveway.devices.drivers import HIP
from giveway.devices.stream_gate import stream_gate

VARIABLE: Final = "GIVEWAY_HIP_LIBRARY"
"""Names the runtime, where it is not the one that the loader finds."""

_NODES: Final = Path("/sys/class/kfd/kfd/topology/nodes")
_FOLDERS: Final = ("/opt/rocm/lib",)


def capabilities() -> dict[str, Capability]:
    """What a closed gate can stop on a GPU."""
    return {
        "launch_gate": Capability(
            True,
            "before kernels, graphs and copies; work in flight is bounded by GIVEWAY_WINDOW_US",
        ),
        "stream_gate": stream_gate(0),
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
    generation, library = installed(os.environ)
    models = sorted({gpu.model for gpu in gpus})
    return [
        Device(
            name="hip",
            description=f"{len(gpus)} × {', '.join(models)}",
            hook=HIP.shim(generation),
            soname=HIP.soname(generation),
            library=library,
            library_is_given=bool(os.environ.get(VARIABLE)),
            capabilities=capabilities(),
            # Triton opens the runtime by its path, and where AMD's Python packages bring one it
            # refuses to run beside another, which is what it takes the hook for.
            defaults={"TRITON_LIBHIP_PATH": str(HIP.shim(generation))},
            unless=("TRITON_LIBHIP_PATH",),
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


def installed(environment: Mapping[str, str]) -> tuple[str, Path | None]:
    """The generation of the runtime that programs here will most likely load, and that runtime.

    It may be of another generation, where there is none of those that are known.
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
    """By its name; None where that does not tell, or the generation is not known."""
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
    """Where programs look for AMD's libraries."""
    listed = environment.get("LD_LIBRARY_PATH", "").split(":")
    return [Path(folder) for folder in (*listed, *loader.FOLDERS, *_FOLDERS) if folder]


def _in(folder: str) -> list[Path]:
    found = sorted(Path(folder).glob(f"{HIP.stem}.*"), reverse=True)
    return [path for path in found if loader.is_of_this_machine(path)]
