"""Whether the HIP shims can take the place of the ROCm runtimes that are found here.

The loader binds a versioned reference to a symbol of that name *and* version node. A shim in which
one of them is missing does not start the program at all, so this is looked at wherever there is a
ROCm library, GPU or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from giveway.devices import elf, hip
from giveway.devices.drivers import HIP
from giveway.verify.check import Finding

CLIENTS: Final = ("hipblas", "rocblas", "MIOpen", "rocfft", "rccl", "c10_hip", "torch_hip")
"""Libraries that launch kernels themselves, or torch's own."""


def versions(environment: Mapping[str, str], _gated: Mapping[str, str]) -> Finding:
    """Looks at every ROCm library in the folders where programs look for them.

    A runtime's symbols have all to be in the shim of its generation, in the same nodes, and what
    its clients want of a runtime has to be in the shim of the generation that they ask for.
    """
    problems, looked_at = [], []
    for path in sorted(set(_libraries(environment))):
        try:
            library = elf.read(path)
        except (elf.ElfError, OSError):
            continue  # a linker script, say
        wanted = library.wants
        if HIP.stem in path.name:
            wanted = {library.soname: {symbol for symbol in library.exports if symbol[1]}}
        for soname, symbols in wanted.items():
            if not soname.startswith(f"{HIP.stem}."):
                continue
            looked_at.append(f"{path.name}: {len(symbols)} symbols")
            problem = _missing(soname, symbols)
            if problem is not None:
                problems.append(f"{path.name}: {problem}")
    if not looked_at:
        return Finding(facts={"rocm": "skipped: no ROCm library here"})
    return Finding(problems[0] if problems else None, {"rocm": looked_at})


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
