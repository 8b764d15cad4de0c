"""Programs that cannot be gated, as their files show; they run, without giveway.

A gated program has loaded giveway's libraries. Only the loader of this machine's glibc can do that.
native/exec looks at the children of gated programs in the same way.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from giveway.devices import elf, preload

_SCRIPTS: Final = 5
"""How many interpreters of interpreters the kernel follows."""
_LINE_BYTES: Final = 256
_LOADERS: Final = ("ld-linux", "ld-lsb")


@dataclass(frozen=True, slots=True)
class Ungated:
    """A program that cannot be gated."""

    why: str
    """A phrase with the program as its subject."""
    starts: bool
    """Whether the program starts although giveway's libraries are preloaded."""
    children: bool
    """Whether programs that it starts are gated."""

    @property
    def notice(self) -> str:
        """What users are told, with the program as the subject."""
        rest = "the programs that it starts are gated"
        if not self.children:
            rest = "and so do the programs that it starts"
        return f"{self.why}: it runs ungated, {rest}"


def locate(program: str, env: Mapping[str, str]) -> Path | None:
    """The file that a command names: a path, or the first such file on PATH."""
    if "/" in program:
        return Path(program) if os.path.exists(program) else None
    candidates = [Path(folder, program) for folder in os.get_exec_path(dict(env)) if program]
    # Not Path.is_file, which raises an error for a folder without permission.
    return next((path for path in candidates if os.path.isfile(path)), None)


def judge(path: Path, env: Mapping[str, str]) -> Ungated | None:
    """Why the program in a file, or the interpreter of a script, cannot be gated; None: it can.

    A file that cannot be read or executed counts as a program that can be gated.
    """
    for file in _interpreters(path, env):
        try:
            found = _judge_file(file, env)
        except OSError:
            return None
        if found is not None:
            return found
    return None


def _interpreters(path: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """The program itself, then what runs it if it is a script."""
    file: Path | None = path
    for _ in range(_SCRIPTS):
        if file is None:
            return
        yield file
        words = script_words(file)
        if not words:
            return
        if os.path.basename(words[0]) == "env":
            yield Path(words[0])
            wanted = _wanted_of_env(words[1:])
            file = locate(wanted, env) if wanted else None
        else:
            file = Path(words[0])


def script_words(path: Path) -> list[str]:
    """The words of a script's line with ``#!``; empty for another file."""
    try:
        with path.open("rb") as file:
            line = file.read(_LINE_BYTES).split(b"\n")[0]
    except OSError:
        return []
    return os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []


def _wanted_of_env(arguments: Sequence[str]) -> str | None:
    """The command in the arguments of ``env``, which may have options and variables before it."""
    words = (word.removeprefix("-S") for word in arguments)
    return next((word for word in words if word and word[0] != "-" and "=" not in word), None)


def _judge_file(path: Path, env: Mapping[str, str]) -> Ungated | None:
    if not path.is_file():
        return None
    program = elf.read_program(path)
    if program is None:
        return None
    if program.machine is not None:
        return Ungated(f"is built for {program.machine}", starts=False, children=False)
    loader = os.path.basename(program.interpreter or program.soname)
    if loader and not loader.startswith(_LOADERS):
        kind = "musl" if "musl" in loader else f"the loader {loader}"
        return Ungated(f"uses {kind}, not glibc", starts=False, children=False)
    if _is_privileged(path):
        return Ungated("runs with rights of its own", starts=True, children=False)
    if not loader:
        return Ungated("is statically linked", starts=True, children=True)
    if any(map(preload.is_asan, program.needed)) and not _may_come_first(env):
        why = "is built with AddressSanitizer, whose runtime is not in LD_PRELOAD"
        return Ungated(why, starts=False, children=False)
    return None


def _may_come_first(env: Mapping[str, str]) -> bool:
    """Whether other libraries may come before a program's own AddressSanitizer."""
    if "verify_asan_link_order=0" in env.get("ASAN_OPTIONS", ""):
        return True
    return any(map(preload.is_asan, preload.entries(env.get("LD_PRELOAD", ""))))


def _is_privileged(path: Path) -> bool:
    """Whether the kernel gives the program other rights than the user's: then nothing is preloaded.

    These are set-user-id, set-group-id, and the capabilities of a file.
    """
    status = path.stat()
    user = status.st_mode & stat.S_ISUID and status.st_uid != os.geteuid()
    group = status.st_mode & stat.S_ISGID and status.st_gid != os.getegid()
    if not user and not group and not _has_capabilities(path):
        return False
    return not os.statvfs(path).f_flag & os.ST_NOSUID


def _has_capabilities(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, "security.capability")) and os.geteuid() != 0
    except OSError:
        return False
