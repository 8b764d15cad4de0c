"""The checks of `giveway doctor` on this machine and this installation."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from giveway import devices
from giveway.devices import mps, quota
from giveway.doctor import configuration, probe, quotas
from giveway.doctor.findings import DeviceReport, PageReport, Problem, Report
from giveway.errors import PageError
from giveway.observe import programs
from giveway.page.folder import shared
from giveway.page.library import NO_PAGE, library_path
from giveway.page.observer import Page, page_path

NO_ACCESS: Final = -2
DAMAGED: Final = (-4, -5, -6)
"""The codes of libgiveway for a page that is no page of this version."""
# Much more than a page, which is about 50 kB, so that the warning comes before the space runs out.
SPACE_BYTES: Final = 1 << 20


def examine() -> Report:
    """Runs all checks; changes nothing."""
    found = devices.find()
    report = Report(library=str(library_path()), drivers=list(probe.unused_drivers(found)))
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
        if device.name == "cuda":
            described.mps = mps.describe(os.environ)
        report.devices.append(described)
        report.problems += probe.hook_problems(device, described)
        for name in device.pages if usable else ():
            report.problems += _place_problems(name, described)
    report.not_gated = [
        program.to_json() for program in programs.not_gated(list) if program.why is not None
    ]
    report.problems += configuration.problems(os.environ)
    own = quota.read(os.environ)
    if own is not None:
        report.cpu_quota = quotas.in_words(own)
    report.problems += quotas.problems(own) if usable else ()
    # Pages share a folder, so that its problems occur several times.
    report.problems = list(dict.fromkeys(report.problems))
    return report


def _place_problems(name: str, device: DeviceReport) -> Iterator[Problem]:
    try:
        path = page_path(name)
    except PageError as error:
        yield Problem(str(error), "set GIVEWAY_DIR to a shorter path")
        return
    page = PageReport(name, str(path))
    device.pages.append(page)
    yield from _folder_problems(page, path)
    yield from _page_problems(page, path, name)


def _library_problems(path: Path) -> Iterator[Problem]:
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        yield Problem(f"{path} cannot be loaded: {error}", "reinstall giveway")


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
    elif (of := shared()) is not None:
        if (stat.S_IMODE(status.st_mode), status.st_gid) != (0o2770, of):
            yield Problem(
                f"{folder} has mode {page.folder_mode} and group {status.st_gid}, and"
                f" GIVEWAY_SHARED asks for mode 2770 and group {of}: programs run ungated",
                f"chgrp {of} {folder} && chmod 2770 {folder}",
            )
    elif status.st_uid != os.geteuid():
        yield Problem(
            f"{folder} belongs to user {status.st_uid}", "set GIVEWAY_DIR to a folder of yours"
        )
    elif status.st_mode & 0o022:
        yield Problem(
            f"{folder} has mode {page.folder_mode}: others can write there", f"chmod 0700 {folder}"
        )
    elif not os.path.exists(page.path) and not os.access(folder, os.W_OK | os.X_OK):
        yield Problem(
            f"{folder} is read-only: no page can be made there, and programs run ungated",
            f"chmod 0700 {folder}, or set GIVEWAY_DIR to a folder of yours",
        )
    yield from _space_problems(folder, page)


def _parent_problems(folder: Path, page: PageReport) -> Iterator[Problem]:
    parent = next(above for above in folder.absolute().parents if os.path.exists(above))
    if parent != folder.absolute().parent:
        yield Problem(
            f"{folder} cannot be made: {folder.absolute().parent} does not exist",
            f"mkdir -p -m 0700 {folder}",
        )
    elif not os.access(parent, os.W_OK | os.X_OK):
        yield Problem(
            f"{folder} cannot be made: no write access to {parent}; programs run ungated",
            "set GIVEWAY_DIR to a folder of yours",
        )
    yield from _space_problems(parent, page)


def _space_problems(folder: Path, page: PageReport) -> Iterator[Problem]:
    space = os.statvfs(folder)
    page.free_bytes = space.f_bavail * space.f_frsize
    if page.free_bytes < SPACE_BYTES and not os.path.exists(folder / Path(page.path).name):
        yield Problem(
            f"{folder} has {page.free_bytes} bytes left: no room for the page",
            "free some, or set GIVEWAY_DIR to a folder on another file system",
        )


def _page_problems(page: PageReport, path: Path, device: str) -> Iterator[Problem]:
    # lstat, never open: closing any descriptor of the page would drop this process's locks.
    try:
        status = os.lstat(path)
    except OSError:
        return
    page.exists = True
    page.mode = f"{stat.S_IMODE(status.st_mode):04o}"
    of = shared()
    if of is not None and (status.st_gid != of or status.st_mode & 0o007):
        yield Problem(
            f"{path} has mode {page.mode} and group {status.st_gid}, and GIVEWAY_SHARED asks for"
            f" mode 0660 and group {of}: programs run ungated",
            f"chgrp {of} {path} && chmod 0660 {path}",
        )
        return
    if of is None and status.st_uid != os.geteuid():
        yield Problem(
            f"{path} belongs to user {status.st_uid}: programs run ungated",
            "set GIVEWAY_DIR to a folder of yours",
        )
        return
    if of is None and status.st_mode & 0o077:
        yield Problem(f"{path} has mode {page.mode}: others can open it", f"chmod 0600 {path}")
    try:
        opened = Page.open(device)
        opened.check()
        tasks = opened.tasks()
        page.tasks = len(tasks)
        if total := opened.memory()[0]:
            page.memory = {
                "total": total,
                "used": sum(task.memory or 0 for task in tasks),
                "reserved": sum(task.memory_reserve or 0 for task in tasks),
            }
    except PageError as error:
        if error.code != NO_PAGE:
            yield Problem(f"{error}: programs run ungated", _remedy(path, status, error.code))


def _remedy(path: Path, status: os.stat_result, code: int) -> str:
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "set GIVEWAY_DIR to a folder on a file system that is not read-only"
    if code == NO_ACCESS:
        return f"chmod {'0600' if shared() is None else '0660'} {path}"
    if code not in DAMAGED:
        return "wait, and run giveway doctor again"
    users = ", ".join(map(str, sorted(_users(status))))
    if users:  # without the page, they would not see each other any more
        return f"end the programs that use it (processes {users}); a new program then replaces it"
    return f"rm {path}: the next program makes a new page"


def _users(page: os.stat_result) -> Iterator[int]:
    """The other processes that map the page."""
    device = f"{os.major(page.st_dev):02x}:{os.minor(page.st_dev):02x}"
    for maps in Path("/proc").glob("[0-9]*/maps"):
        pid = int(maps.parent.name)
        try:
            mapped = (line.split()[3:5] for line in maps.read_text(errors="replace").splitlines())
            if pid != os.getpid() and [device, str(page.st_ino)] in mapped:
                yield pid
        except OSError:  # the process has ended, or is another user's
            continue
