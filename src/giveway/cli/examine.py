"""What `giveway doctor` finds out about this machine and this installation."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from giveway import devices
from giveway.errors import GivewayError, PageError
from giveway.page import NO_PAGE, Page, library_path, page_path
from giveway.version import __version__

# More than a page, which is some 50 kB, so that the advice comes before the trouble.
SPACE_BYTES: Final = 1 << 20

_DRIVERS: Final = {"CUDA": ("cuda", "libcuda.so*"), "HIP": ("amdhip64", "libamdhip64.so*")}
_SONAMES: Final = {"CUDA": "libcuda.so.1"}
_DRIVER_FOLDERS: Final = ("rocm*/lib",)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, and what to do about it; a line each."""

    what: str
    do: str


@dataclass
class PageReport:
    """The state of one gate page."""

    device: str
    """The page's name: the device's, or that of one GPU."""
    path: str | None
    """None where libgiveway, which knows, cannot be loaded."""
    exists: bool = False
    folder_mode: str | None = None
    mode: str | None = None
    tasks: int | None = None
    """Live tasks; None where the page cannot be read."""
    free_bytes: int | None = None


@dataclass
class DeviceReport:
    """One device, and what programs on it will find."""

    name: str
    description: str
    capabilities: dict[str, dict[str, Any]]
    hook: str
    driver: str | None = None
    """The driver library behind the hook; None where there is none, or it was not found."""
    pages: list[PageReport] = field(default_factory=list)


@dataclass
class Report:
    """Everything; ``problems`` is empty where all is well."""

    version: str = __version__
    python: str = sys.version.split()[0]
    library: str = ""
    devices: list[DeviceReport] = field(default_factory=list)
    drivers: list[dict[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        return {"schema": 1, "ok": not self.problems, **asdict(self)}


def examine() -> Report:
    """Looks at everything, and changes nothing."""
    found = devices.find()
    report = Report(library=str(library_path()), drivers=list(_drivers(found)))
    report.problems += _library_problems(library_path())
    usable = not report.problems
    for device in found:
        described = DeviceReport(
            name=device.name,
            description=device.description,
            capabilities={
                name: capability._asdict() for name, capability in device.capabilities.items()
            },
            hook=str(device.hook),
        )
        report.devices.append(described)
        report.problems += _hook_problems(device, described)
        for name in device.pages:
            page = PageReport(name, str(page_path(name)) if usable else None)
            described.pages.append(page)
            if page.path is not None:
                report.problems += _folder_problems(page, Path(page.path))
                report.problems += _page_problems(page, Path(page.path), name)
    # Pages share a folder, and what is wrong with it.
    report.problems = list(dict.fromkeys(report.problems))
    return report


def _library_problems(path: Path) -> Iterator[Problem]:
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        yield Problem(f"{path} cannot be loaded: {error}", "reinstall giveway")


# What the hook finds behind itself: the first call opens the real library, and this one touches no
# device.
_PROBE: Final = """
import ctypes, json, sys
soname, hook = sys.argv[1:]
version = ctypes.c_int()
code = ctypes.CDLL(soname).cuDriverGetVersion(ctypes.byref(version))
maps = [line.split()[-1] for line in open("/proc/self/maps") if soname.split(".so")[0] in line]
found = sorted(path for path in set(maps) if path != hook)
print(json.dumps({"code": code, "version": version.value, "found": found}))
"""


def _hook_problems(device: devices.Device, report: DeviceReport) -> Iterator[Problem]:
    """Preloads the hook into a program, as ``giveway run`` does."""
    try:
        env = device.environment({})
    except GivewayError as error:
        what, _, do = str(error).rpartition("; ")
        yield Problem(what, do)
        return
    for name in ("LD_LIBRARY_PATH", "GIVEWAY_CUDA_LIBRARY"):
        if name in os.environ:
            env[name] = os.environ[name]
    probe = [_PROBE, device.soname, os.path.realpath(device.hook)] if device.soname else [""]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", *probe],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode == 0 and device.soname:
        yield from _driver_problems(device, json.loads(done.stdout), done.stderr, report)
    elif done.returncode != 0 or done.stderr:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        yield Problem(f"{device.hook} cannot be preloaded: {said}", "reinstall giveway")


def _driver_problems(
    device: devices.Device, answer: dict[str, Any], said: str, report: DeviceReport
) -> Iterator[Problem]:
    if answer["code"] == 0 and answer["found"]:
        version = answer["version"]
        report.driver = f"{answer['found'][0]} (CUDA {version // 1000}.{version % 1000 // 10})"
        return
    why = said.strip().removeprefix("giveway: ").partition("; see ")[0]
    yield Problem(
        f"the hook finds no driver: {why or device.soname}",
        "say where it is: GIVEWAY_CUDA_LIBRARY=/path/to/libcuda.so.1",
    )


def _folder_problems(page: PageReport, path: Path) -> Iterator[Problem]:
    folder = path.parent
    try:
        status = os.lstat(folder)
    except FileNotFoundError:
        yield from _parent_problems(folder, page)
        return
    except OSError as error:
        yield Problem(f"{folder}: {error.strerror}", "set GIVEWAY_DIR to a folder of yours")
        return
    page.folder_mode = f"{stat.S_IMODE(status.st_mode):04o}"
    if not stat.S_ISDIR(status.st_mode):
        yield Problem(f"{folder} is not a folder", f"remove it: rm {folder}")
    elif status.st_uid != os.geteuid():
        yield Problem(
            f"{folder} belongs to user {status.st_uid}", "set GIVEWAY_DIR to a folder of yours"
        )
    elif status.st_mode & 0o077:
        yield Problem(
            f"{folder} has mode {page.folder_mode}: others can get in", f"chmod 0700 {folder}"
        )
    yield from _space_problems(folder, page)


def _parent_problems(folder: Path, page: PageReport) -> Iterator[Problem]:
    parent = next(above for above in folder.parents if os.path.exists(above))
    if not os.access(parent, os.W_OK | os.X_OK):
        yield Problem(
            f"{folder} cannot be made: no write access to {parent}",
            "set GIVEWAY_DIR to a folder of yours",
        )
    yield from _space_problems(parent, page)


def _space_problems(folder: Path, page: PageReport) -> Iterator[Problem]:
    space = os.statvfs(folder)
    page.free_bytes = space.f_bavail * space.f_frsize
    if page.free_bytes < SPACE_BYTES and not os.path.exists(folder / Path(page.path or "").name):
        yield Problem(
            f"{folder} has {page.free_bytes} bytes left: no room for the page",
            "free some, or set GIVEWAY_DIR to a folder on another file system",
        )


def _page_problems(page: PageReport, path: Path, device: str) -> Iterator[Problem]:
    # Looked at, never opened: closing any descriptor of the page would drop this process's locks.
    try:
        status = os.lstat(path)
    except OSError:
        return
    page.exists = True
    page.mode = f"{stat.S_IMODE(status.st_mode):04o}"
    if status.st_uid != os.geteuid():
        yield Problem(f"{path} belongs to user {status.st_uid}", f"remove it: rm {path}")
    elif status.st_mode & 0o077:
        yield Problem(f"{path} has mode {page.mode}: others can open it", f"chmod 0600 {path}")
    try:
        opened = Page.open(device)
        opened.check()
        page.tasks = len(opened.tasks())
    except PageError as error:
        if error.code != NO_PAGE:
            yield Problem(
                str(error),
                f"rm {path}: programs that run now go on ungated, later ones make a new page",
            )


def _drivers(found_devices: list[devices.Device]) -> Iterator[dict[str, str]]:
    """Driver libraries that are here and that no device stands for."""
    sonames = {device.soname for device in found_devices}
    for api, (library, pattern) in _DRIVERS.items():
        found = ctypes.util.find_library(library)
        outside = (
            str(path)
            for folder in _DRIVER_FOLDERS
            for path in sorted(Path("/opt").glob(f"{folder}/{pattern}"))
        )
        where = found or next(outside, None)
        if where and _SONAMES.get(api) not in sonames - {None}:
            status = "found, but no GPU" if api in _SONAMES else "not supported in this version"
            yield {"api": api, "library": where, "status": status}
