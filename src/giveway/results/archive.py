"""Reads result files from a folder, plain or packed into its ``raw.tar.xz``.

Callers use the same path in both cases: after ``results/mine`` is packed,
``results/mine/dual/run.json`` is read from ``results/mine/raw.tar.xz``. Archives are decompressed
in memory only, so that an archive cannot write outside its folder. The size of an archive and the
names in it are checked nevertheless.
"""

from __future__ import annotations

import errno
import io
import lzma
import os
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

from giveway.errors import UsageError

NAME: Final = "raw.tar.xz"
MAX_BYTES: Final = 256 << 20
"""The size after decompression; a larger archive is refused."""
MAX_FILES: Final = 10_000
_MAX_MEMORY: Final = 128 << 20
"""The memory limit of the decompressor. An archive that `pack` wrote needs 9 MiB."""

Files = Mapping[PurePosixPath, bytes]


def read(path: Path) -> bytes:
    """Returns the content of a file, plain or packed.

    Raises:
        OSError: the file does not exist or cannot be read.
        UsageError: the archive is damaged, too large, or holds an unsafe member.
    """
    packed = _packed(path)
    if packed is None:
        return path.read_bytes()
    contents, inside = packed
    if inside not in contents:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return contents[inside]


def is_file(path: Path) -> bool:
    """Whether the file exists, plain or packed. Raises as `read` does."""
    packed = _packed(path)
    return path.is_file() if packed is None else packed[1] in packed[0]


def is_folder(path: Path) -> bool:
    """Whether the folder exists, plain or packed. Raises as `read` does."""
    packed = _packed(path)
    if packed is None:
        return path.is_dir()
    contents, inside = packed
    return any(inside in file.parents for file in contents)


def files(folder: Path) -> list[Path]:
    """The files directly in a folder, sorted. Raises as `read` does."""
    packed = _packed(folder)
    if packed is None:
        return sorted(each for each in folder.iterdir() if each.is_file())
    contents, inside = packed
    return [folder / file.name for file in sorted(contents) if file.parent == inside]


def folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted. Raises as `read` does."""
    packed = _packed(folder)
    if packed is None:
        return sorted(each for each in folder.iterdir() if each.is_dir())
    contents, inside = packed
    below = {file.relative_to(inside).parts for file in contents if inside in file.parents}
    return [folder / name for name in sorted({parts[0] for parts in below if len(parts) > 1})]


def pack(folder: Path, target: Path) -> None:
    """Packs all files of a folder into an archive. Equal files give an equal archive."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            # TarInfo keeps its default owner, mode and time, so that the archive is reproducible.
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            content = path.read_bytes()
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    target.write_bytes(lzma.compress(tar.getvalue(), preset=6 | lzma.PRESET_EXTREME))


def _packed(path: Path) -> tuple[Files, PurePosixPath] | None:
    """The contents of the archive above a path, and the path within; None without an archive."""
    for folder in (path, *path.parents):
        archive = folder / NAME
        if archive.exists():
            status = archive.stat()
            contents = _contents(archive, status.st_mtime_ns, status.st_size)
            return contents, PurePosixPath(path.relative_to(folder).as_posix())
        if folder.exists():
            break
    return None


@lru_cache(maxsize=8)
def _contents(archive: Path, _modified: int, _size: int) -> Files:
    """All files of an archive, by path. The time and the size identify a changed archive."""
    try:
        return _members(archive, _unpacked(archive))
    except OSError as error:
        raise UsageError(f"cannot read {archive}: {error.strerror}") from error
    except (lzma.LZMAError, tarfile.TarError, ValueError, OverflowError) as error:
        raise UsageError(f"{archive} is damaged: {error}") from error


def _unpacked(archive: Path) -> bytes:
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_MEMORY)
    data = decompressor.decompress(archive.read_bytes(), MAX_BYTES)
    if not decompressor.eof:
        why = "is damaged: the archive is truncated"
        if len(data) >= MAX_BYTES:
            why = f"is refused: it is larger than {MAX_BYTES >> 20} MiB after decompression"
        raise UsageError(f"{archive} {why}")
    return data


def _members(archive: Path, data: bytes) -> Files:
    contents: dict[PurePosixPath, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
        for number, member in enumerate(opened):
            path = PurePosixPath(member.name)
            why = _refusal(member, path)
            if number >= MAX_FILES:
                why = f"it holds more than {MAX_FILES} files"
            if why is not None:
                raise UsageError(f"{archive} is refused: {why}")
            if not member.isdir():
                file = opened.extractfile(member)
                assert file is not None
                contents[path] = file.read()
    return contents


def _refusal(member: tarfile.TarInfo, path: PurePosixPath) -> str | None:
    if path.is_absolute() or ".." in path.parts:
        return f"{member.name!r} is outside the archive"
    if not member.name.isprintable():
        return f"the name {member.name!r} is not printable"
    # A sparse file passes as a regular file and can claim any size.
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        return f"{member.name!r} is neither a regular file nor a folder"
    return None
