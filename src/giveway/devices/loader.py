"""Finds the library that the dynamic loader would load, without loading it.

The order is that of the loader and of native/gpu/load/locate.c: LD_LIBRARY_PATH, the cache, the
default folders. A program's RUNPATH is not considered.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from giveway.devices import processor

PROCESSOR: Final = processor.of_this_machine()
CACHE: Final = Path("/etc/ld.so.cache")
FOLDERS: Final = (
    f"/lib/{PROCESSOR.multiarch}",
    f"/usr/lib/{PROCESSOR.multiarch}",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
)

_MAGIC: Final = b"glibc-ld.so.cache1.1"
_HEADER: Final = 48
_ENTRY: Final = "<iIIIQ"


def candidates(soname: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """The files of that name; the loader loads the first."""
    for folder in _split(environment.get("LD_LIBRARY_PATH", "")):
        yield from _in(folder, soname)
    for path in cached(soname):
        yield from _in(str(path.parent), path.name)
    for folder in FOLDERS:
        yield from _in(folder, soname)


def _split(folders: str) -> list[str]:
    # An empty entry means the current folder, but an empty list has no entries.
    return [folder or "." for folder in folders.replace(";", ":").split(":")] if folders else []


def _in(folder: str, soname: str) -> Iterator[Path]:
    path = Path(folder, soname)
    if is_of_this_machine(path):
        yield path


def is_of_this_machine(path: Path) -> bool:
    """Whether the loader would load the file or fail on it; it skips files of other machines."""
    try:
        with path.open("rb") as file:
            start = file.read(20)
    except OSError:
        return False
    machine = PROCESSOR.elf_machine.to_bytes(2, "little")
    return not start.startswith(b"\x7fELF") or (start[4:5], start[18:20]) == (b"\x02", machine)


def cached(soname: str, cache: Path = CACHE) -> list[Path]:
    """The paths under that name in the loader's cache; empty if the cache cannot be read."""
    try:
        content = cache.read_bytes()
    except OSError:
        return []
    start = content.find(_MAGIC)
    if start < 0 or f"{soname}\0".encode() not in content:
        return []
    content = content[start:]
    found = []
    try:
        (count,) = struct.unpack_from("<I", content, len(_MAGIC))
        entries = content[_HEADER : _HEADER + count * struct.calcsize(_ENTRY)]
        for flags, key, value, _, _ in struct.iter_unpack(_ENTRY, entries):
            if (
                flags & 0xFF00 == PROCESSOR.cache_flag
                and content[key : key + len(soname) + 1] == f"{soname}\0".encode()
            ):
                path = content[value : content.index(b"\0", value)]
                found.append(Path(path.decode(errors="surrogateescape")))
    except (struct.error, ValueError):
        pass
    return found
