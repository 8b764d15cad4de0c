"""Files of results, which may be packed: ``raw.tar.xz`` in a folder stands for what is in it.

Paths are the same for both. If ``results/mine`` was packed, ``results/mine/dual/run.json`` is a
file in ``results/mine/raw.tar.xz``. Nothing is ever unpacked to the disk, so an archive cannot
write outside a folder; its contents are checked nevertheless, and its size is limited.
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
"""Unpacked; an archive with more is refused."""
MAX_FILES: Final = 10_000
_MAX_MEMORY: Final = 128 << 20
"""What a decompressor may need for its dictionary; `pack` makes it need 9 MiB."""

Files = Mapping[PurePosixPath, bytes]


def read(path: Path) -> bytes:
    """The content of a file, plain or packed.

    Raises:
        OSError: there is no such file, or it cannot be read.
        UsageError: the archive is damaged, or has in it what no archive of results has.
    """
    packed = _packed(path)
    if packed is None:
        return path.read_bytes()
    contents, inside = packed
    if inside not in contents:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return contents[inside]


def is_file(path: Path) -> bool:
    """Whether there is such a file, plain or packed; errors as of `read`."""
    packed = _packed(path)
    return path.is_file() if packed is None else packed[1] in packed[0]


def is_folder(path: Path) -> bool:
    """Whether there is such a folder, plain or packed; errors as of `read`."""
    packed = _packed(path)
    if packed is None:
        return path.is_dir()
    contents, inside = packed
    return any(inside in file.parents for file in contents)


def files(folder: Path) -> list[Path]:
    """The files directly in a folder, sorted; errors as of `read`."""
    packed = _packed(folder)
    if packed is None:
        return sorted(each for each in folder.iterdir() if each.is_file())
    contents, inside = packed
    return [folder / file.name for file in sorted(contents) if file.parent == inside]


def folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted; errors as of `read`."""
    packed = _packed(folder)
    if packed is None:
        return sorted(each for each in folder.iterdir() if each.is_dir())
    contents, inside = packed
    below = {file.relative_to(inside).parts for file in contents if inside in file.parents}
    return [folder / name for name in sorted({parts[0] for parts in below if len(parts) > 1})]


def pack(folder: Path, target: Path) -> None:
    """Packs all files of a folder into an archive; the same files make the same archive."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            # Owner, mode and time are the defaults of TarInfo, not those of this machine.
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            content = path.read_bytes()
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    target.write_bytes(lzma.compress(tar.getvalue(), preset=6 | lzma.PRESET_EXTREME))


def _packed(path: Path) -> tuple[Files, PurePosixPath] | None:
    """What the archive holds that stands for a path, and the path in it; None without one."""
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
    """Everything in an archive, by its path; time and size tell a changed archive from this."""
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
        why = "is damaged: it ends too early"
        if len(data) >= MAX_BYTES:
            why = f"is refused: it holds more than {MAX_BYTES >> 20} MiB"
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
        return f"{member.name!r} leads out of it"
    if not member.name.isprintable():
        return f"{member.name!r} is a name that cannot be printed"
    # A sparse file is a regular one of any size that it likes to have.
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        return f"{member.name!r} is neither a plain file nor a folder"
    return None
