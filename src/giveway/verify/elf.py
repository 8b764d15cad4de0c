"""The versioned symbols of a 64-bit ELF library: those that it exports, and those that it needs.

After the ELF gABI and the symbol versioning part of the Linux Standard Base. What is on the disk is
read, not loaded: a library of another machine, or one whose dependencies are missing, will do.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_DYNAMIC, _DYNSYM = 6, 11
_VERDEF, _VERNEED, _VERSYM = 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_DT_SONAME = 14
_RESERVED: Final = 0xFF00
"""Section numbers from here on are none: the symbols that name the nodes themselves have such."""
_HIDDEN: Final = 0x8000
"""Of a version: not the default one."""


class ElfError(Exception):
    """Not a library that this can read."""


class Symbol(NamedTuple):
    """A symbol with its version node."""

    name: str
    node: str

    def __str__(self) -> str:
        return f"{self.name}@{self.node}"


class Library(NamedTuple):
    """What a library says of itself to the loader."""

    soname: str
    exports: frozenset[Symbol]
    """Those with a version."""
    needs: dict[str, frozenset[Symbol]]
    """Those with a version, by the SONAME of the library that they are wanted of."""


class _Section(NamedTuple):
    kind: int
    data: bytes
    link: int
    entries: int


def read(path: Path) -> Library:
    """Reads one file.

    Raises:
        ElfError: it is no 64-bit little-endian ELF file, or is damaged.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    if content[:6] != b"\x7fELF\x02\x01":
        raise ElfError(f"{path.name} is no 64-bit little-endian ELF file")
    try:
        return _parse(content)
    except (struct.error, IndexError, StopIteration, ValueError) as error:
        raise ElfError(f"{path.name} is damaged: {error}") from error


def _parse(content: bytes) -> Library:
    sections = list(_sections(content))
    by_kind = {section.kind: section for section in sections}
    dynsym = by_kind.get(_DYNSYM)
    if dynsym is None:
        return Library("", frozenset(), {})
    text = sections[dynsym.link].data
    defined = _definitions(by_kind[_VERDEF], text) if _VERDEF in by_kind else {}
    needed = _requirements(by_kind[_VERNEED], text) if _VERNEED in by_kind else {}
    versions = by_kind[_VERSYM].data if _VERSYM in by_kind else b""
    exports, needs = set(), dict[str, set[Symbol]]()
    for at, (index,) in enumerate(struct.iter_unpack("<H", versions)):
        name, info, section = struct.unpack_from("<IB1xH", dynsym.data, at * 24)
        version = index & ~_HIDDEN
        if info >> 4 == 0:  # local
            continue
        if 0 < section < _RESERVED and version in defined:
            exports.add(Symbol(_string(text, name), defined[version]))
        elif not section and version in needed:
            library, node = needed[version]
            needs.setdefault(library, set()).add(Symbol(_string(text, name), node))
    return Library(
        _soname(by_kind[_DYNAMIC].data, text) if _DYNAMIC in by_kind else "",
        frozenset(exports),
        {library: frozenset(symbols) for library, symbols in needs.items()},
    )


def _sections(content: bytes) -> Iterator[_Section]:
    (table,) = struct.unpack_from("<Q", content, 0x28)
    size, count = struct.unpack_from("<HH", content, 0x3A)
    for number in range(count):
        kind, _, _, offset, length, link, info = struct.unpack_from(
            "<IQQQQII", content, table + number * size + 4
        )
        wanted = kind in (3, _DYNAMIC, _DYNSYM, _VERDEF, _VERNEED, _VERSYM)
        yield _Section(kind, content[offset : offset + length] if wanted else b"", link, info)


def _string(text: bytes, at: int) -> str:
    return text[at : text.index(b"\0", at)].decode()


def _soname(dynamic: bytes, text: bytes) -> str:
    tags = dict(struct.iter_unpack("<QQ", dynamic))
    return _string(text, tags[_DT_SONAME]) if _DT_SONAME in tags else ""


def _definitions(section: _Section, text: bytes) -> dict[int, str]:
    """Version index to node. The first one names the library itself: not a node."""
    found, at = {}, 0
    for number in range(section.entries):
        index, _, _, auxiliary, following = struct.unpack_from("<4xHHIII", section.data, at)
        (name,) = struct.unpack_from("<I", section.data, at + auxiliary)
        if number or index != 1:
            found[index] = _string(text, name)
        at += following
    return found


def _requirements(section: _Section, text: bytes) -> dict[int, tuple[str, str]]:
    """Version index to library and node."""
    found, at = {}, 0
    for _ in range(section.entries):
        count, library, auxiliary, following = struct.unpack_from("<2xHIII", section.data, at)
        inner = at + auxiliary
        for _ in range(count):
            index, name, step = struct.unpack_from("<6xHII", section.data, inner)
            found[index] = (_string(text, library), _string(text, name))
            inner += step
        at += following
    return found
