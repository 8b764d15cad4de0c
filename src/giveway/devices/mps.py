"""NVIDIA's multi-process service (MPS): its control daemon, and programs as its clients.

The control daemon is known by its folder of pipes. Without one of giveway's own, that of the user
counts. With MPS, kernels of several processes run at the same time; the gates decide which.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from giveway.errors import GivewayError, MissingExtraError
from giveway.page.folder import make
from giveway.page.observer import page_path

CONTROL: Final = "nvidia-cuda-mps-control"
PIPES: Final = "CUDA_MPS_PIPE_DIRECTORY"
LOGS: Final = "CUDA_MPS_LOG_DIRECTORY"
PRIORITY: Final = "CUDA_MPS_CLIENT_PRIORITY"
USUAL: Final = Path("/tmp/nvidia-mps")
"""The folder of a control daemon that was started without `PIPES`."""
SETTINGS: Final = (
    "CUDA_VISIBLE_DEVICES",
    "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
    "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT",
)
"""The variables of a control daemon that decide about its clients."""
_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Daemon:
    """A control daemon that answers."""

    folder: Path
    user: int
    pid: int | None
    """None: unknown."""
    servers: tuple[int, ...]
    """The processes that run the clients' work; none before the first client."""

    def clients(self) -> list[int]:
        """The processes that use MPS."""
        return [pid for server in self.servers for pid in _list(self.folder, server)]

    def settings(self) -> dict[str, str]:
        """What `SETTINGS` were when the daemon was started, as far as they can be read."""
        try:
            text = Path(f"/proc/{self.pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            return {}
        found = dict(line.split("=", 1) for line in text.split("\0") if "=" in line)
        return {name: found[name] for name in SETTINGS if found.get(name)}


def own_folder() -> Path:
    """The folder of giveway's own control daemon, beside the gate pages."""
    return page_path("any").parent / f"mps-{os.geteuid()}"


def find(environ: Mapping[str, str]) -> Daemon | None:
    """The control daemon for programs with this environment; None: none runs.

    That in the folder which the user has named, else giveway's own, else the usual one.
    """
    if given := environ.get(PIPES):
        return ask(Path(given))
    return ask(own_folder()) or ask(USUAL)


def ask(folder: Path) -> Daemon | None:
    """The control daemon of a folder; None: none runs there, or it does not answer."""
    try:
        user = os.stat(folder / "control").st_uid
    except OSError:
        return None
    pid = _pid(folder)
    if pid is not None and not _is_alive(pid):
        return None
    if user not in (os.geteuid(), 0):
        return Daemon(folder, user, pid, ())  # it would not answer us
    answer = command(folder, "get_server_list")
    if answer is None:
        return None
    return Daemon(folder, user, pid, tuple(map(int, filter(str.isdecimal, answer))))


def command(folder: Path, text: str) -> list[str] | None:
    """Has the control daemon of a folder carry out a command. Returns the words of its answer.

    None: none runs there, or it does not answer.
    """
    try:
        done = subprocess.run(
            [CONTROL],
            input=f"{text}\n",
            env=environment(os.environ, folder),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split() if done.returncode == 0 else None


def environment(base: Mapping[str, str], folder: Path) -> dict[str, str]:
    """``base`` for a control daemon with this folder, and for its clients."""
    return {**base, PIPES: str(folder), LOGS: str(folder)}


def daemon_environment(folder: Path) -> dict[str, str]:
    """The environment in which a control daemon starts."""
    env = environment(os.environ, folder)
    if not env.get("CUDA_VISIBLE_DEVICES", "").startswith("GPU-"):
        # MPS renumbers its GPUs, and programs would apply the numbers of the variable again.
        env.pop("CUDA_VISIBLE_DEVICES", None)
    return env


def check_installed() -> None:
    """Checks that MPS is there.

    Raises:
        MissingExtraError: it is not.
    """
    if shutil.which(CONTROL) is None:
        raise MissingExtraError(
            f"{CONTROL} is not installed: it comes with NVIDIA's driver (nvidia-compute-utils)"
        )


def start() -> Daemon:
    """Starts giveway's own control daemon, unless one runs that programs can use.

    Raises:
        MissingExtraError: MPS is not installed.
        GivewayError: it cannot be started, or one runs already with other settings.
        PageError: the folder of the gate pages cannot be used.
    """
    check_installed()
    folder = own_folder()
    env = daemon_environment(folder)
    running = ask(folder)
    if running is not None:
        _check_settings(running, {name: env[name] for name in SETTINGS if env.get(name)})
        return running
    running = find(os.environ)
    if running is not None and _unusable(running, os.environ) is None:
        return running
    try:
        make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        code, said = _start(env)
    except OSError as error:
        raise GivewayError(f"MPS cannot be started in {folder}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise GivewayError(f"MPS does not start within {_SECONDS:.0f} s") from None
    started = ask(folder)
    if started is None:
        why = " ".join(said.split()) or f"exit code {code}"
        raise GivewayError(f"MPS does not start: {why} (its log: {folder}/control.log)")
    return started


def _start(env: Mapping[str, str]) -> tuple[int, str]:
    """Starts a control daemon. Returns the exit code and the output of the starting process."""
    # A file: the daemon may keep a pipe open, whose end would never come.
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        done = subprocess.run(
            [CONTROL, "-d"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
        output.seek(0)
        return done.returncode, output.read()


def _check_settings(running: Daemon, wanted: Mapping[str, str]) -> None:
    found = running.settings()
    if running.pid is not None and found != wanted:
        raise GivewayError(
            f"MPS runs already, with other settings ({in_words(found)}, not {in_words(wanted)}):"
            " giveway mps stop"
        )


def in_words(settings: Mapping[str, str]) -> str:
    """Settings on one line."""
    return " ".join(f"{name}={value}" for name, value in settings.items()) or "no variables"


def use(env: MutableMapping[str, str], priority: int, inherited: bool) -> str | None:
    """Makes a program a client of the control daemon that runs, if one does.

    Returns the reason why the program runs without it, on one line; None: there is no such reason.

    Args:
        env: the environment of the program, which is changed.
        priority: that of the task.
        inherited: whether a program under giveway run starts this one, so that the variables of
            ``env`` are that program's.
    """
    if inherited:
        env.pop(PRIORITY, None)
    daemon = find(env)
    if daemon is None:
        return None
    if (why := _unusable(daemon, env)) is not None:
        env[PIPES] = str(own_folder().with_name("no-mps"))  # a folder without a control daemon
        return f"{why}: the program runs without it"
    env.update(environment({}, daemon.folder))
    # MPS has two priorities: 0 is normal, 1 is below normal.
    env.setdefault(PRIORITY, "0" if priority > 0 else "1")
    return None


def _unusable(daemon: Daemon, environ: Mapping[str, str]) -> str | None:
    """Why programs with this environment cannot be clients of the daemon; None: they can."""
    if daemon.user not in (os.geteuid(), 0):
        return f"MPS in {daemon.folder} belongs to user {daemon.user}"
    visible = environ.get("CUDA_VISIBLE_DEVICES", "")
    found = daemon.settings().get("CUDA_VISIBLE_DEVICES", visible)
    if found != visible:
        return f"MPS in {daemon.folder} runs with other settings (CUDA_VISIBLE_DEVICES={found})"
    return None


def describe(environ: Mapping[str, str]) -> str | None:
    """The control daemon that programs get, on one line; None: none runs."""
    daemon = find(environ)
    if daemon is None:
        return None
    if (why := _unusable(daemon, environ)) is not None:
        return f"{why}: programs run without it"
    return f"MPS runs in {daemon.folder}: kernels of several programs on cuda run at the same time"


def _pid(folder: Path) -> int | None:
    try:
        return int((folder / f"{CONTROL}.pid").read_text())
    except (OSError, ValueError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # that of a zombie is empty
    except OSError:
        return False


def _list(folder: Path, server: int) -> list[int]:
    return list(map(int, filter(str.isdecimal, command(folder, f"get_client_list {server}") or ())))
