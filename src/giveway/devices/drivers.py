"""Whether giveway can stand in for a driver library, or has to stand beside it.

*Impersonation*: the preloaded shim has the library's SONAME and all it exports, so every way to the
driver leads through it. What a program is linked to that the shim lacks would not resolve, so where
the library has more, it is *interposition*: a preloaded library of another SONAME with the hooks
alone. docs/decisions/0013-interposition.md has the reasons.
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
"""The first glibc that does not open a library that asks for one, unless told to."""

_SHOWN_NAMES: Final = 3
# The linker's own, which older ones export from every library and nobody looks for elsewhere.
_OF_EVERY_LIBRARY: Final = frozenset(
    {"_init", "_fini", "_edata", "_end", "__bss_start", "__data_start", "edata", "end"}
)
_ESCAPES: Final[Mapping[Mode, tuple[str, ...]]] = {
    "impersonation": ("programs that open it by its path or without the number of its SONAME",),
    "interposition": (
        "what programs look up by dlvsym",
        "libraries opened with RTLD_DEEPBIND or by dlmopen, and what these call",
    ),
}


class Api(NamedTuple):
    """A driver interface that there are shims for: a row of `APIS` for each."""

    name: str
    device: str
    """The kind of device behind it."""
    vendor: str
    stem: str
    """Of the library's name: libcuda.so"""
    generations: tuple[str, ...]
    """What follows it in the SONAMEs that are known; the newest first."""
    impersonator: str
    """Beside libgiveway, for each generation: what impersonates the library."""
    interposer: str
    """The same of what interposes."""

    def soname(self, generation: str) -> str:
        """The name that the loader knows the library by."""
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
    """What giveway does about one library."""

    library: Path
    api: str | None
    """``CUDA`` or ``HIP``; None where it is no driver library that programs here could load."""
    mode: Mode | None
    """None where giveway keeps off it."""
    why: tuple[str, ...]
    """Why not impersonation: what the library does or is, a phrase each."""
    escapes: tuple[str, ...]
    """What reaches the driver past the hooks."""
    hook: Path | None
    """What is preloaded."""


def judge(library: Path, environment: Mapping[str, str]) -> Verdict:
    """Looks at a library, without loading it.

    Raises:
        OSError: it, or the shim it is compared with, cannot be read.
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
    escapes = _ESCAPES[mode]
    if why:
        hooks = elf.read(hook)
        moved, newer = _moved(real, hooks), _newer(real, shim, hooks)
        escapes += (f"calls in version nodes that giveway does not know: {moved}",) if moved else ()
        escapes += (f"newer calls that no hook stands for: {newer}",) if newer else ()
    return Verdict(library, api.name, mode, why, escapes, hook)


def _neither(library: Path, why: str, api: Api | None = None) -> Verdict:
    return Verdict(library, api.name if api else None, None, (why,), (), None)


def _newest(nodes: set[str]) -> str | None:
    """The generation of a library whose SONAME has lost it, as in PyTorch's wheels."""
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
    """This system's; (0,) where it has none."""
    try:
        said = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError):
        said = ""
    return tuple(int(number) for number in re.findall(r"\d+", said)) or (0,)


def _moved(real: elf.Library, hooks: elf.Library) -> str:
    """Hooked calls of which the library has a version that no hook stands for."""
    hooked = {name for name, _ in hooks.exports}
    moved = [
        f"{name}@{node}"
        for name, node in sorted(real.exports)
        if node and name in hooked and (name, node) not in hooks.exports
    ]
    return _list(moved)


def _newer(real: elf.Library, shim: elf.Library, hooks: elf.Library) -> str:
    """Versions of hooked calls that are newer than giveway, the look-ups among them."""
    hooked = {_base(name) for name, _ in hooks.exports}
    known = {name for name, _ in shim.exports}
    return _list(
        sorted(name for name, _ in real.exports if name not in known and _base(name) in hooked)
    )


def _base(name: str) -> str:
    """A call without what tells its versions and its default streams apart."""
    return re.sub(r"(_v\d+)?(_ptsz|_ptds|_spt)?$", "", name)


def _list(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    shown = ", ".join(names[:_SHOWN_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown
