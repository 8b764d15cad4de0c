"""A minimal ELF reader: what a program or a shared library wants of the loader, and exports.

It reads the program headers and the dynamic section, as the loader does; section headers may be
stripped. Layouts are those of the System V ABI for 64 bits, and the GNU extensions.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

from giveway.devices import processor

_PROCESSOR: Final = processor.of_this_machine()
_MACHINES: Final = {3: "i386", 40: "ARM", 62: "x86-64", 183: "AArch64"}
_SHARED: Final = 3
_LOAD, _DYNAMIC, _INTERPRETER, _STACK = 1, 2, 3, 0x6474E551
_NEEDED, _HASH, _STRTAB, _SYMTAB, _SONAME = 1, 4, 5, 6, 14
_GNU_HASH, _VERSYM, _VERDEF, _VERNEED = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE
_LOCAL, _BASE = 0, 1

Kind = Literal["function", "data", "TLS"]
_KINDS: Final[dict[int, Kind]] = {1: "data", 5: "data", 6: "TLS"}


class ElfError(Exception):
    """The file is not a shared library that this machine can load; the text says what it is."""


class Export(NamedTuple):
    """A symbol that a library exports."""

    kind: Kind
    size: int
    """In bytes; meaningless for functions."""


@dataclass
class Library:
    """The relevant contents of a shared library's dynamic section."""

    soname: str = ""
    needed: list[str] = field(default_factory=list)
    exports: dict[tuple[str, str], Export] = field(default_factory=dict)
    """Keyed by name and version node; the node is empty for an unversioned symbol."""
    wants: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    """The versioned imports: names and version nodes, keyed by the SONAME of their library."""
    nodes: set[str] = field(default_factory=set)
    executable_stack: bool = True
    """True is the loader's default for a file without the header."""


def read(path: Path) -> Library:
    """Reads a library without loading it.

    Raises:
        ElfError: the file is not a shared library of this machine, or is damaged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(20)
        if len(start) < 20 or not start.startswith(b"\x7fELF"):
            raise ElfError("not a shared library")
        kind, machine = struct.unpack_from("<HH", start, 16)
        if start[4] != 2 or start[5] != 1 or machine != _PROCESSOR.elf_machine:
            name = _MACHINES.get(machine, f"machine {machine}")
            raise ElfError(f"built for {name}, not for {_MACHINES[_PROCESSOR.elf_machine]}")
        if kind != _SHARED:
            raise ElfError("not a shared library")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
            try:
                return _Reader(image).library()
            except (struct.error, ArithmeticError, LookupError, ValueError) as error:
                raise ElfError("a damaged shared library") from error


@dataclass(frozen=True)
class Program:
    """What an executable file says about how it starts."""

    machine: str | None
    """The machine that the file was built for; None: this one."""
    interpreter: str | None = None
    """The path of its loader; None: it has none, or it is not of this machine."""
    soname: str = ""
    needed: tuple[str, ...] = ()


def read_program(path: Path) -> Program | None:
    """Reads a program without starting it; None if the file is no ELF file, or is damaged.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(20)
        if len(start) < 20 or not start.startswith(b"\x7fELF") or start[4] not in (1, 2):
            return None
        (machine,) = struct.unpack_from("<H", start, 18)
        if machine != _PROCESSOR.elf_machine or start[4] != 2:
            name = _MACHINES.get(machine, f"machine {machine}")
            return Program(f"32-bit {name}" if machine == _PROCESSOR.elf_machine else name)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
            try:
                return _Reader(image).program()
            except (struct.error, ArithmeticError, LookupError, ValueError):
                return None


class _Reader:
    def __init__(self, image: mmap.mmap) -> None:
        self.image = image
        offset, count = self.at("<Q", 32)[0], self.at("<H", 56)[0]
        self.headers = [self.at("<IIQQQQQQ", offset + 56 * n) for n in range(count)]

    def at(self, layout: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(layout, self.image, offset)

    def offset(self, address: int) -> int:
        """The offset in the file of the byte that is loaded at an address."""
        for kind, _, offset, start, _, size, _, _ in self.headers:
            if kind == _LOAD and start <= address < start + size:
                return offset + address - start
        raise ValueError(address)

    def text(self, offset: int) -> str:
        end = self.image.find(b"\0", offset)
        if end < 0:
            raise ValueError(offset)
        return self.image[offset:end].decode(errors="replace")

    def dynamic(self) -> Iterator[tuple[int, int]]:
        for kind, _, offset, _, _, size, _, _ in self.headers:
            if kind == _DYNAMIC:
                for tag, value in struct.iter_unpack("<QQ", self.image[offset : offset + size]):
                    if tag == 0:
                        return
                    yield tag, value

    def program(self) -> Program:
        if all(kind != _LOAD for kind, *_ in self.headers):
            raise ValueError(self.headers)
        starts = [offset for kind, _, offset, *_ in self.headers if kind == _INTERPRETER]
        entries = list(self.dynamic())
        tags = dict(entries)
        strings = self.offset(tags[_STRTAB]) if _STRTAB in tags else 0
        return Program(
            machine=None,
            interpreter=self.text(starts[0]) if starts else None,
            soname=self.text(strings + tags[_SONAME]) if _SONAME in tags else "",
            needed=tuple(self.text(strings + value) for tag, value in entries if tag == _NEEDED),
        )

    def library(self) -> Library:
        found = Library()
        for kind, flags, *_ in self.headers:
            if kind == _STACK:
                found.executable_stack = bool(flags & 1)
        entries = list(self.dynamic())
        tags = dict(entries)
        strings = self.offset(tags[_STRTAB])
        found.needed = [self.text(strings + value) for tag, value in entries if tag == _NEEDED]
        found.soname = self.text(strings + tags[_SONAME]) if _SONAME in tags else ""
        nodes = dict(self.nodes(self.offset(tags[_VERDEF]), strings)) if _VERDEF in tags else {}
        found.nodes = set(nodes.values())
        found.exports = dict(self.exports(tags, strings, nodes))
        if _VERNEED in tags:
            found.wants = self.wants(tags, strings)
        return found

    def symbols(self, tags: dict[int, int]) -> Iterator[tuple[int, int, int, int, int]]:
        """The name, type, section, size and version index of each symbol that is not local."""
        count = self.count(tags)
        if count * 24 > len(self.image):
            raise ValueError(count)
        symbols = self.offset(tags[_SYMTAB])
        versions: tuple[int, ...] = (_BASE,) * count
        if _VERSYM in tags:
            versions = self.at(f"<{count}H", self.offset(tags[_VERSYM]))
        rows = struct.iter_unpack("<IBBHQQ", self.image[symbols : symbols + 24 * count])
        for (name, info, _, section, _, size), version in zip(rows, versions, strict=True):
            if info >> 4 != 0:
                # The highest bit of the version marks a version that is not the default.
                yield name, info & 15, section, size, version & 0x7FFF

    def exports(
        self, tags: dict[int, int], strings: int, nodes: dict[int, str]
    ) -> Iterator[tuple[tuple[str, str], Export]]:
        for name, kind, section, size, node in self.symbols(tags):
            # Absolute symbols are the version nodes themselves.
            if 0 < section < 0xFF00 and node != _LOCAL:
                export = Export(_KINDS.get(kind, "function"), size)
                yield (self.text(strings + name), nodes.get(node, "")), export

    def wants(self, tags: dict[int, int], strings: int) -> dict[str, set[tuple[str, str]]]:
        nodes = dict(self.wanted_nodes(self.offset(tags[_VERNEED]), strings))
        found: dict[str, set[tuple[str, str]]] = {}
        for name, _, section, _, index in self.symbols(tags):
            if section == 0 and index in nodes:
                library, node = nodes[index]
                found.setdefault(library, set()).add((self.text(strings + name), node))
        return found

    def wanted_nodes(self, at: int, strings: int) -> Iterator[tuple[int, tuple[str, str]]]:
        """The library and the version node of each version index."""
        while True:
            _, count, library, inner, following = self.at("<HHIII", at)
            inner += at
            for _ in range(count):
                _, _, index, name, step = self.at("<IHHII", inner)
                yield index, (self.text(strings + library), self.text(strings + name))
                inner += step
            if following == 0:
                return
            at += following

    def nodes(self, at: int, strings: int) -> Iterator[tuple[int, str]]:
        """The version nodes by index, without the base node, which has the library's own name."""
        while True:
            _, flags, index, _, _, names, following = self.at("<HHHHIII", at)
            if not flags & 1:
                yield index, self.text(strings + self.at("<I", at + names)[0])
            if following == 0:
                return
            at += following

    def count(self, tags: dict[int, int]) -> int:
        """The number of symbols, which only the hash tables contain."""
        if _HASH in tags:
            return self.at("<II", self.offset(tags[_HASH]))[1]
        table = self.offset(tags[_GNU_HASH])
        buckets, first, words = self.at("<III", table)
        chains = table + 16 + 8 * words + 4 * buckets
        last = max(self.at(f"<{buckets}I", table + 16 + 8 * words), default=0)
        if last < first:
            return first
        while not self.at("<I", chains + 4 * (last - first))[0] & 1:
            last += 1
        return last + 1
