"""Decides whether giveway can impersonate a driver library or has to interpose.

*Impersonation*: the preloaded shim has the SONAME and all exports of the library, so every way to
the driver leads through the shim. A symbol that the shim lacks would not resolve. A library with
further exports therefore needs *interposition*: a preloaded library with a different SONAME and
only the hooks. docs/decisions/0013-interposition.md has the reasons.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from giveway.devices import elf
from giveway.page.library import library_path

Mode = Literal["impersonation", "interposition"]

EXECUTABLE_STACKS_REFUSED_SINCE: Final = (2, 41)
"""The first glibc that by default refuses libraries that request an executable stack."""

_SHOWN_NAMES: Final = 3
# Symbols of the linker: older linkers export them from every library, and no program imports them.
_OF_EVERY_LIBRARY: Final = frozenset(
    {"_init", "_fini", "_edata", "_end", "__bss_start", "__data_start", "edata", "end"}
)
_BY_PATH: Final = "open it by its path or without the number of its SONAME"
_BESIDE: Final = (
    "what programs look up by dlvsym",
    "libraries opened with RTLD_DEEPBIND or by dlmopen, and what these call",
)
_ESCAPES: Final[Mapping[tuple[str, Mode], tuple[str, ...]]] = {
    ("CUDA", "impersonation"): (
        f"libraries opened with RTLD_DEEPBIND or by dlmopen that {_BY_PATH}",
    ),
    ("HIP", "impersonation"): (f"programs that {_BY_PATH}",),
    ("CUDA", "interposition"): _BESIDE,
    ("HIP", "interposition"): _BESIDE,
}


class Api(NamedTuple):
    """A driver interface with shims; `APIS` lists them."""

    name: str
    device: str
    """The kind of device of the driver."""
    vendor: str
    stem: str
    """The library's name without the generation: libcuda.so"""
    generations: tuple[str, ...]
    """The suffixes of the known SONAMEs; the newest first."""
    impersonator: str
    """The path of the shim that impersonates a generation, relative to libgiveway."""
    interposer: str
    """The path of the library that interposes for a generation, relative to libgiveway."""

    def soname(self, generation: str) -> str:
        """The SONAME of a generation of the library."""
        return f"{self.stem}.{generation}"

    def shim(self, generation: str) -> Path:
        """The library that impersonates that generation."""
        return library_path().parent / self.impersonator.format(generation)

    def hooks(self, generation: str) -> Path:
        """The library that interposes for that generation."""
        return library_path().parent / self.interposer.format(generation)


CUDA: Final = Api(
    name="CUDA",
    device="cuda",
    vendor="NVIDIA",
    stem="libcuda.so",
    generations=("1",),
    impersonator="libgiveway-cuda.so",
    interposer="libgiveway-cuda-hooks.so",
)
HIP: Final = Api(
    name="HIP",
    device="hip",
    vendor="AMD",
    stem="libamdhip64.so",
    generations=("7", "6", "5"),
    impersonator="hip/libamdhip64.so.{}",
    interposer="hip/libgiveway-hip-hooks.so.{}",
)
APIS: Final = (CUDA, HIP)


@dataclass(frozen=True)
class Verdict:
    """How giveway treats one library."""

    library: Path
    api: str | None
    """``CUDA`` or ``HIP``; None: not a driver library that programs on this machine could load."""
    mode: Mode | None
    """None: giveway does not gate this library."""
    why: tuple[str, ...]
    """The reasons against impersonation: phrases with the library as their subject."""
    escapes: tuple[str, ...]
    """The calls that reach the driver past the hooks."""
    hook: Path | None
    """The library that is preloaded."""


def judge(library: Path, environment: Mapping[str, str]) -> Verdict:
    """Examines a library without loading it.

    Raises:
        OSError: the library, or the shim that it is compared with, cannot be read.
        elf.ElfError: the shim is damaged.
    """
    try:
        real = elf.read(library)
    except elf.ElfError as error:
        return _neither(library, f"is {error}")
    if library_path().name in real.needed:
        return _neither(library, "is giveway's own")
    soname = real.soname or library.name
    api = next((api for api in APIS if f"{soname}.".startswith(f"{api.stem}.")), None)
    if api is None:
        known_as = f"its SONAME is {real.soname}" if real.soname else "it has no SONAME"
        return _neither(library, f"is not a driver library: {known_as}")
    generation = soname.removeprefix(api.stem).removeprefix(".") or _newest(real.nodes) or "1"
    if generation not in api.generations:
        unknown = f"is of a generation that giveway does not know: {soname}"
        return _neither(library, unknown, api)
    shim = elf.read(api.shim(generation))
    why = tuple(_obstacles(real, soname, shim, environment))
    mode: Mode = "interposition" if why else "impersonation"
    hook = api.hooks(generation) if why else api.shim(generation)
    escapes = _ESCAPES[api.name, mode]
    if why:
        hooks = elf.read(hook)
        moved, newer = _moved(real, hooks), _newer(real, shim, hooks)
        escapes += (f"calls in version nodes that giveway does not know: {moved}",) if moved else ()
        escapes += (f"newer calls that no hook stands for: {newer}",) if newer else ()
    return Verdict(library, api.name, mode, why, escapes, hook)


def _neither(library: Path, why: str, api: Api | None = None) -> Verdict:
    return Verdict(library, api.name if api else None, None, (why,), (), None)


def _newest(nodes: set[str]) -> str | None:
    """The generation of a library whose SONAME lacks it, as in PyTorch's wheels."""
    majors = [int(found[1]) for node in nodes if (found := re.fullmatch(r"hip_(\d+)\.\d+", node))]
    return str(max(majors)) if majors else None


def _obstacles(
    real: elf.Library, soname: str, shim: elf.Library, environment: Mapping[str, str]
) -> Iterator[str]:
    if soname != shim.soname:
        yield f"is called {soname}, not {shim.soname}"
    unknown = sorted(real.nodes - shim.nodes)
    if unknown:
        yield f"has version nodes that giveway does not know: {_list(unknown)}"
    extra = [
        key for key in real.exports if key not in shim.exports and key[0] not in _OF_EVERY_LIBRARY
    ]
    if extra:
        names = sorted(f"{name}@{node}" if node else name for name, node in extra)
        yield f"exports what giveway does not know: {_list(names)}"
    for (name, node), export in sorted(real.exports.items()):
        ours = shim.exports.get((name, node), export)
        if ours.kind != export.kind:
            yield f"has {name} as {export.kind}, giveway as {ours.kind}"
        elif export.kind != "function" and ours.size != export.size:
            yield f"has {export.size} bytes of {name}, giveway {ours.size}"
    if real.executable_stack and _refuses_executable_stacks(environment):
        yield "asks for an executable stack, which this system's glibc refuses"


def _refuses_executable_stacks(environment: Mapping[str, str]) -> bool:
    allowed = "glibc.rtld.execstack=2" in environment.get("GLIBC_TUNABLES", "").split(":")
    return not allowed and glibc_version() >= EXECUTABLE_STACKS_REFUSED_SINCE


def glibc_version() -> tuple[int, ...]:
    """The version of this system's glibc; (0,) if it has a different C library."""
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError):
        version = ""
    return tuple(int(number) for number in re.findall(r"\d+", version)) or (0,)


def _moved(real: elf.Library, hooks: elf.Library) -> str:
    """Hooked calls that the library exports in a version node without a hook."""
    hooked = {name for name, _ in hooks.exports}
    moved = [
        f"{name}@{node}"
        for name, node in sorted(real.exports)
        if node and name in hooked and (name, node) not in hooks.exports
    ]
    return _list(moved)


def _newer(real: elf.Library, shim: elf.Library, hooks: elf.Library) -> str:
    """Versions of hooked calls, and of symbol look-ups, that are newer than giveway."""
    hooked = {_base(name) for name, _ in hooks.exports}
    known = {name for name, _ in shim.exports}
    return _list(
        sorted(name for name, _ in real.exports if name not in known and _base(name) in hooked)
    )


def _base(name: str) -> str:
    """The name of a call without the suffixes for its version and default stream."""
    return re.sub(r"(_v\d+)?(_ptsz|_ptds|_spt)?$", "", name)


def _list(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    shown = ", ".join(names[:_SHOWN_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown
