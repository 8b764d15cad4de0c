"""Control groups with a quota of CPU time, for programs of a scenario that have one."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from giveway.devices.quota import MOUNT
from giveway.errors import NotMeasuredError
from giveway.scenarios.model import Program

_PERIOD_US: Final = 100_000
_PREFIX: Final = "giveway-bench-"
_SECONDS: Final = 5.0
# The shell becomes the program, so the process stays the one that was started.
_ENTER: Final = 'echo $$ >"$0" && exec "$@"'


def try_out(programs: Iterable[Program]) -> None:
    """Makes and removes a control group for each program with a quota.

    Raises:
        NotMeasuredError: no group with a quota can be made here.
    """
    for program in programs:
        if program.quota is not None:
            with Group(program.name, program.quota):
                pass


class Group:
    """A control group; a context manager that removes it, when its processes have ended.

    Raises:
        NotMeasuredError: no group with a quota can be made here.
    """

    def __init__(self, name: str, cores: float, mount: Path = Path(MOUNT)) -> None:
        unified = (mount / "cgroup.controllers").exists()
        top = mount if unified else mount / "cpu"
        quota = round(cores * _PERIOD_US)
        for left in top.glob(f"{_PREFIX}*"):
            pid = left.name.removeprefix(_PREFIX).partition("-")[0]
            if not os.path.exists(f"/proc/{pid}"):  # of a bench that was killed
                with contextlib.suppress(OSError):
                    left.rmdir()
        self.folder = top / f"{_PREFIX}{os.getpid()}-{name}"
        limit = (
            ("cpu.max", f"{quota} {_PERIOD_US}") if unified else ("cpu.cfs_quota_us", f"{quota}")
        )
        try:
            self.folder.mkdir(exist_ok=True)
            (self.folder / limit[0]).write_text(limit[1])
        except OSError as error:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            raise NotMeasuredError(
                f"{name} needs a CPU quota, and no control group can be made in {top}:"
                f" {error.strerror} (this needs root)"
            ) from error

    @property
    def prefix(self) -> Sequence[str]:
        """The words before the command of a program that is to run in the group."""
        return ("sh", "-c", _ENTER, str(self.folder / "cgroup.procs"))

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *exception: object) -> None:
        until = time.monotonic() + _SECONDS
        while True:
            try:
                self.folder.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:  # a killed process takes a moment to leave
                if time.monotonic() > until:
                    return
                time.sleep(0.02)
