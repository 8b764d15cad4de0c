"""Quotas of CPU time (containers' CPU limits), and how many OpenMP threads fit into one.

A program that uses up its quota stands still until the next period. With more threads than the
quota pays for, that happens in the middle of its parallel regions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOUNT: Final = "/sys/fs/cgroup"
DECIDED_BY: Final = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS")
"""The variables with which a user decides the number of threads."""
LAUNCHERS: Final = ("torchrun", "torch.distributed.run", "torch.distributed.launch", "accelerate")
"""Programs that choose the number of threads for each of their processes where none is set."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The smallest quota of a group of processes and the groups above it."""

    cores: float
    """The CPU time per time."""
    file: Path
    throttled: int
    """How many periods the group has stood still so far."""

    @property
    def threads(self) -> int:
        """The most threads that never use the quota up."""
        return max(1, int(self.cores))

    def __str__(self) -> str:
        return f"{self.cores:g} core{'' if self.cores == 1 else 's'} ({self.file})"


def read(environ: Mapping[str, str], pid: int | str = "self") -> Quota | None:
    """The quota of a process; None: it has none.

    Args:
        environ: GIVEWAY_CGROUP has the folder where control groups are mounted, if it is not
            `MOUNT`.
    """
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return None
    return find(groups, Path(environ.get("GIVEWAY_CGROUP") or MOUNT))


def find(groups: str, mount: Path) -> Quota | None:
    """The quota of the groups that ``/proc/PID/cgroup`` names, of either version of cgroup."""
    found = []
    for line in groups.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if (number, controllers) == ("0", ""):
            # A unified hierarchy beside old ones is mounted in a folder of its own.
            for top in (mount, mount / "unified"):
                found += [_unified(folder) for folder in _upwards(top, group)]
        elif "cpu" in controllers.split(","):
            found += [_old(folder) for folder in _upwards(mount / controllers, group)]
    return min(filter(None, found), key=lambda quota: quota.cores, default=None)


def unfit(environ: Mapping[str, str], quota: Quota | None, cores: int) -> int | None:
    """The number of threads that a program with this environment should have, instead of more.

    None: it has no more threads than its quota pays for.

    Args:
        cores: the cores that the program may use; OpenMP starts a thread for each.
    """
    if quota is None:
        return None
    threads = cores
    for name in DECIDED_BY:
        first = environ.get(name, "").partition(",")[0].strip()
        if first.isdecimal() and int(first) > 0:
            threads = min(threads, int(first)) if name == "OMP_THREAD_LIMIT" else int(first)
            break
    return quota.threads if threads > quota.threads else None


def fitting(environ: Mapping[str, str], name: str) -> tuple[int, Quota] | None:
    """The number of OpenMP threads to set for a program that this process becomes, and why.

    None: its user has decided, its quota pays for all threads, or it decides itself.

    Args:
        name: the name of the program without its path, or of its Python module.
    """
    if name in LAUNCHERS or any(variable in environ for variable in DECIDED_BY):
        return None
    quota = read(environ)
    threads = unfit(environ, quota, len(os.sched_getaffinity(0)))
    return (threads, quota) if quota is not None and threads is not None else None


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """The folder of a group and those of the groups above it, up to the mount.

    In a container, the path of the group may not exist below its mount, which then is the group
    itself.
    """
    folder = Path(os.path.normpath(f"{mount}/{group}"))
    if not folder.is_relative_to(mount):
        folder = mount
    yield folder
    while folder != mount:
        folder = folder.parent
        yield folder


def _unified(folder: Path) -> Quota | None:
    file = folder / "cpu.max"
    quota, _, period = _text(file).strip().partition(" ")
    return _quota(quota, period or "100000", file)


def _old(folder: Path) -> Quota | None:
    file = folder / "cpu.cfs_quota_us"
    return _quota(_text(file).strip(), _text(folder / "cpu.cfs_period_us").strip(), file)


def _quota(quota: str, period: str, file: Path) -> Quota | None:
    if not (quota.isdecimal() and period.isdecimal()) or int(quota) == 0 or int(period) == 0:
        return None
    stat = _text(file.with_name("cpu.stat"))
    counts = dict(line.split()[:2] for line in stat.splitlines() if len(line.split()) >= 2)
    throttled = counts.get("nr_throttled", "0")
    return Quota(int(quota) / int(period), file, int(throttled) if throttled.isdecimal() else 0)


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
