"""``giveway run``: turns this process into the program, with its launches gated."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from giveway import devices
from giveway.devices import memory as device_memory
from giveway.devices import mps, preload, quota, target
from giveway.errors import GivewayError, UsageError
from giveway.sched import attributes
from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN
from giveway.text import printable

NAME_BYTES: Final = 47
"""Longest task name, in bytes of UTF-8."""

JOB_SIZE: Final = 48
"""Longest name of a job, in characters."""
_JOB: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{JOB_SIZE}}}")

# Python options that take their value from the next argument.
_PYTHON_VALUE_OPTIONS: Final = ("-W", "-X", "--check-hash-based-pycs")


class CommandError(GivewayError):
    """The program cannot be started; the exit code is that of a shell."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def derive_name(command: Sequence[str]) -> str:
    """The name of a task whose user gave none, derived from the command.

    ``python train.py`` becomes ``train.py``, ``python -m pkg.mod`` becomes ``pkg.mod``, and any
    other command becomes its own file name.
    """
    program = os.path.basename(command[0])
    if program.startswith(("python", "pypy")):
        program = _python_target(command[1:]) or program
    return _shorten(program) or "?"


def _python_target(arguments: Sequence[str]) -> str | None:
    rest = iter(arguments)
    for argument in rest:
        if argument in _PYTHON_VALUE_OPTIONS:
            next(rest, None)
        elif argument.startswith("--") or argument == "-":
            continue
        elif argument.startswith("-"):
            # Short options can be combined (-um pkg); -c and -m are always the last option.
            flags = argument[1:]
            if flags[0] in "WX":
                continue
            stop = next((at for at, flag in enumerate(flags) if flag in "cm"), None)
            if stop is not None:
                value = flags[stop + 1 :] or next(rest, "")
                return value if flags[stop] == "m" and value else None
        else:
            return os.path.basename(argument.rstrip("/")) or None
    return None


def _shorten(name: str) -> str:
    printable = "".join(char if char.isprintable() else "?" for char in name)
    return printable.encode("utf-8", "replace")[:NAME_BYTES].decode("utf-8", "ignore")


def environment(
    base_env: Mapping[str, str],
    device: str,
    priority: int,
    name: str,
    settings: Iterable[str] = (),
    job: str | None = None,
    memory: str | None = None,
    reserve: str | None = None,
    parkable: bool | None = None,
) -> dict[str, str]:
    """``base_env`` with the variables that make a program a task of a device.

    Args:
        base_env: the original environment of the program; not modified.
        device: the name of a device, as ``giveway doctor`` lists it.
        priority: -1000 to 1000, bigger is more urgent.
        name: at most 47 bytes of UTF-8, printable.
        settings: further attributes for policies, such as ``deadline=20ms``.
        job: the job that the program's processes belong to: 1 to 48 ASCII letters, digits, ``.``,
            ``_`` and ``-``. None: that of ``base_env``, or of torchrun.
        memory: the limit of the device memory of each process, as ``40GiB`` or ``50%``; None: that
            of ``base_env``.
        reserve: the device memory that others leave to the program, in the same form.
        parkable: whether more urgent programs that need device memory may park the program; None:
            as ``base_env`` has it.

    Raises:
        UsageError: unknown device, priority out of range, or unusable name, setting, job or amount
            of memory, or ``parkable`` on a device other than cuda.
        GivewayError: giveway's own libraries are missing.
    """
    wanted = device_memory.read(memory, reserve, parkable)
    return _environment(base_env, devices.get(device), priority, name, settings, job, wanted)


def _environment(
    base_env: Mapping[str, str],
    device: devices.Device,
    priority: int,
    name: str,
    settings: Iterable[str],
    job: str | None,
    wanted: device_memory.Wanted,
) -> dict[str, str]:
    if not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise UsageError(f"priority {priority} is not in {PRIORITY_MIN}…{PRIORITY_MAX}")
    if not name or name != _shorten(name):
        raise UsageError(f"name {name!r} is not 1 to {NAME_BYTES} bytes of printable text")
    env = device.environment(base_env)
    if env.get("GIVEWAY_DIR"):
        env["GIVEWAY_DIR"] = _absolute(env["GIVEWAY_DIR"])  # the program may change its folder
    env["GIVEWAY_DEVICE"] = device.name
    env["GIVEWAY_PRIORITY"] = str(priority)
    env["GIVEWAY_NAME"] = name
    env.pop("GIVEWAY_ATTRIBUTES", None)
    if text := attributes.write("", attributes.changes(settings)):
        env["GIVEWAY_ATTRIBUTES"] = text
    if job is not None:
        if not _JOB.fullmatch(job):
            raise UsageError(
                f"job {job!r} is not 1 to {JOB_SIZE} ASCII letters, digits, '.', '_' and '-'"
            )
        env["GIVEWAY_JOB"] = job
    device_memory.check(device, wanted)
    if wanted.limit is not None:
        env["GIVEWAY_MEMORY"] = wanted.limit.setting()
    if wanted.reserve is not None:
        env["GIVEWAY_RESERVE"] = wanted.reserve.setting()
    if wanted.parkable is not None:
        env["GIVEWAY_PARKABLE"] = "1" if wanted.parkable else "0"
    # The variable holds the pid that `giveway run` had; an inherited value would be wrong.
    env.pop("GIVEWAY_RUN", None)
    return env


def _absolute(folder: str) -> str:
    try:
        return os.path.abspath(folder)
    except FileNotFoundError as error:
        raise UsageError(
            f"GIVEWAY_DIR is relative ({folder}), and the current folder was removed"
        ) from error


def run(
    command: Sequence[str],
    device: str | None = None,
    priority: int = 0,
    name: str | None = None,
    settings: Sequence[str] = (),
    job: str | None = None,
    whole_process: bool = False,
    memory: str | None = None,
    reserve: str | None = None,
    parkable: bool | None = None,
) -> NoReturn:
    """Replaces this process with ``command``, gated.

    The process stays the same: the program keeps stdin, the terminal, the signals and the parent,
    and its exit code is that of the process.

    Args:
        whole_process: gates all threads of the program, on the CPU only.
        memory: as in `environment`, as are ``reserve`` and ``parkable``.

    Raises:
        UsageError: as `environment`; or the command is empty, or ``whole_process`` on a GPU.
        CommandError: the program does not exist (127) or cannot be executed (126).
    """
    if not command:
        raise UsageError("no command: write giveway run [OPTIONS] -- CMD [ARGS]")
    attributes.changes(settings)  # a mistake is the only line: no notice comes before it
    chosen = devices.choose(device)
    if device is None and chosen.name == "cpu" and (missed := devices.missed()):
        _warn(f"no GPU was found, although {missed}: the program shares the cpu device")
    if whole_process:
        if chosen.name != "cpu":
            raise UsageError(f"--whole-process is for --device cpu, not {chosen.name}")
        os.environ["GIVEWAY_WHOLE_PROCESS"] = "1"
    given_name = derive_name(command) if name is None else name
    wanted = device_memory.read(memory, reserve, parkable)
    become(command, chosen, priority, given_name, settings, _warn, job, wanted)


def become(
    command: Sequence[str],
    device: devices.Device,
    priority: int,
    name: str,
    settings: Iterable[str],
    warn: Callable[[str], None],
    job: str | None = None,
    wanted: device_memory.Wanted = device_memory.NOTHING,
) -> NoReturn:
    """Replaces this process with ``command``, gated on a device of this machine; raises as `run`.

    Args:
        warn: called with the notice of the device, if it has one, with the number of OpenMP
            threads that a CPU quota asks for, and with the reasons why the program cannot be a
            client of MPS or cannot be gated.
    """
    env = _environment(os.environ, device, priority, name, settings, job, wanted)
    env["GIVEWAY_RUN"] = str(os.getpid())
    if device.notice is not None:
        warn(device.notice)
    if (fits := quota.fitting(env, derive_name(command))) is not None:
        threads, of = fits
        env["OMP_NUM_THREADS"] = str(threads)
        warn(f"the CPU quota is {of}: OMP_NUM_THREADS={threads}")
    if device.name == "cuda" and (why := mps.use(env, priority, "GIVEWAY_RUN" in os.environ)):
        warn(why)
    found = target.locate(command[0], env)
    ungated = target.judge(found, os.environ) if found is not None and device.gates else None
    if ungated is not None:
        warn(f"{command[0]} {ungated.notice}")
        if not ungated.starts:
            _leave_out_giveway(env)
    # Python ignores these signals, and ignored signals stay ignored across exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), env)
    except (OSError, ValueError) as error:
        # Python has no errno for an empty name; a shell treats it as a missing file.
        _raise_exec_error(
            command, env, error if isinstance(error, OSError) else OSError(errno.ENOENT, "")
        )


def _leave_out_giveway(env: dict[str, str]) -> None:
    others = preload.remove(env.pop("LD_PRELOAD", ""))
    if others:
        env["LD_PRELOAD"] = others


def _warn(what: str) -> None:
    if sys.stderr is not None:
        print(f"giveway: {printable(what)}", file=sys.stderr)


def _raise_exec_error(command: Sequence[str], env: Mapping[str, str], error: OSError) -> NoReturn:
    """Raises the error that a shell would report, or runs a script without ``#!``."""
    program = command[0]
    found = target.locate(program, env)
    reason = error.strerror or str(error)
    if found is None and "/" in program and error.errno == errno.EACCES:  # a folder on the way
        raise CommandError(f"{program}: cannot be executed: {reason}", 126) from error
    if found is None:
        where = "no such file" if "/" in program else "not found on PATH"
        raise CommandError(f"{program or repr(program)}: {where}", 127) from error
    if found.is_dir():
        raise CommandError(f"{program}: is a directory, not a program", 126) from error
    if error.errno == errno.ENOENT:
        raise CommandError(
            f"{program}: its interpreter is missing ({_interpreter(found)})", 126
        ) from error
    if error.errno == errno.ENOEXEC and not _is_binary(found):
        os.execve("/bin/sh", ["sh", str(found), *command[1:]], env)
    if not os.access(found, os.X_OK):
        raise CommandError(f"{program}: not executable (chmod +x {found})", 126) from error
    raise CommandError(f"{program}: cannot be executed: {reason}", 126) from error


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(128)
    except OSError:
        return b""


def _interpreter(path: Path) -> str:
    words = target.script_words(path)
    return " ".join(words) or "the loader of a program built for another system"


def _is_binary(path: Path) -> bool:
    # Shells use the same test for the same purpose.
    return b"\0" in _first_bytes(path).split(b"\n")[0]
