"""Runs NVIDIA's multi-process service (MPS) for the bench, separate from any other instance."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from giveway.bench.guard import Guard
from giveway.bench.process import Process
from giveway.devices import mps

_SECONDS = 10.0


class Mps:
    """The MPS control daemon, in the foreground; a context manager that returns its folder."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __enter__(self) -> str:
        self._folder = tempfile.TemporaryDirectory(prefix="giveway-mps-")
        folder = self._folder.name
        environment = mps.daemon_environment(Path(folder))
        self._daemon = Process("MPS", [mps.CONTROL, "-f"], environment, self._guard)
        deadline = time.monotonic() + _SECONDS
        try:
            while not (Path(folder) / "control").exists():
                if self._daemon.popen.poll() is not None:
                    raise self._daemon.died()
                if time.monotonic() > deadline:
                    raise self._daemon.failed(f"did not start within {_SECONDS:.0f} s")
                time.sleep(0.05)
        except BaseException:  # also Ctrl-C
            self.__exit__()
            raise
        return folder

    def __exit__(self, *exception: object) -> None:
        # Only this command ends the MPS server, which is another process.
        mps.command(Path(self._folder.name), "quit -t 1")
        self._daemon.__exit__()
        self._folder.cleanup()
