"""Checks that the HIP shims can replace the ROCm runtimes of this machine.

The loader binds a versioned reference to a symbol with that name *and* version node. If the shim
lacks one of them, the program does not start at all. So this check runs wherever there is a ROCm
library, even without a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from giveway.devices import elf, hip
from giveway.devices.drivers import HIP
from giveway.verify.check import Finding

CLIENTS: Final = ("hipblas", "rocblas", "MIOpen", "rocfft", "rccl", "c10_hip", "torch_hip")
"""Libraries that launch kernels, among them torch's own."""


def versions(environment: Mapping[str, str], _gated: Mapping[str, str]) -> Finding:
    """Checks every ROCm library in the folders where programs search for them.

    The shim must have all symbols of a runtime of its generation, with the same version nodes, and
    all symbols that other libraries require of a runtime of that generation.
    """
    problems, examined = [], []
    for path in sorted(set(_libraries(environment))):
        try:
            library = elf.read(path)
        except (elf.ElfError, OSError):
            continue  # for example a linker script
        wanted = library.wants
        if HIP.stem in path.name:
            wanted = {library.soname: {symbol for symbol in library.exports if symbol[1]}}
        for soname, symbols in wanted.items():
            if not soname.startswith(f"{HIP.stem}."):
                continue
            examined.append(f"{path.name}: {len(symbols)} symbols")
            problem = _missing(soname, symbols)
            if problem is not None:
                problems.append(f"{path.name}: {problem}")
    if not examined:
        return Finding(facts={"rocm": "skipped: no ROCm library here"})
    return Finding(problems[0] if problems else None, {"rocm": examined})


def _libraries(environment: Mapping[str, str]) -> Iterator[Path]:
    folders = hip.folders(environment)
    given = environment.get("GIVEWAY_HIP_LIBRARY")
    if given:
        folders.insert(0, Path(given).parent)
    for folder in folders:
        for name in (HIP.stem.removesuffix(".so").removeprefix("lib"), *CLIENTS):
            for path in folder.glob(f"lib{name}*.so*"):
                if path.is_file():
                    yield path.resolve()


def _missing(soname: str, symbols: set[tuple[str, str]]) -> str | None:
    generation = soname.removeprefix(f"{HIP.stem}.").partition(".")[0]
    if generation not in HIP.generations:
        return f"giveway has no shim for {soname}"
    missing = sorted(symbols - elf.read(HIP.shim(generation)).exports.keys())
    if not missing:
        return None
    return (
        f"the shim lacks {len(missing)} of its {len(symbols)} symbols, {'@'.join(missing[0])} first"
    )
