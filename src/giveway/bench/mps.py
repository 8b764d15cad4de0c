"""Runs NVIDIA's multi-process service (MPS) for the bench, separate from any other instance."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

from giveway.bench.guard import Guard
from giveway.bench.process import Process, ProgramFailedError

_CONTROL = "nvidia-cuda-mps-control"
_SECONDS = 10.0


class Mps:
    """The MPS control daemon, in the foreground; a context manager that returns its folder."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __enter__(self) -> str:
        self._folder = tempfile.TemporaryDirectory(prefix="giveway-mps-")
        folder = self._folder.name
        self._environment = {
            **os.environ,
            "CUDA_MPS_PIPE_DIRECTORY": folder,
            "CUDA_MPS_LOG_DIRECTORY": folder,
        }
        if not os.environ.get("CUDA_VISIBLE_DEVICES", "").startswith("GPU-"):
            # MPS renumbers its GPUs, and programs would apply the numbers of the variable again.
            self._environment.pop("CUDA_VISIBLE_DEVICES", None)
        self._daemon = Process("MPS", [_CONTROL, "-f"], self._environment, self._guard)
        deadline = time.monotonic() + _SECONDS
        try:
            while not (Path(folder) / "control").exists():
                if self._daemon.popen.poll() is not None:
                    raise self._daemon.died()
                if time.monotonic() > deadline:
                    raise self._daemon.failed(f"did not start within {_SECONDS:.0f} s")
                time.sleep(0.05)
        except ProgramFailedError:
            self.__exit__()
            raise
        return folder

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            # Only this command ends the MPS server, which is another process.
            subprocess.run(
                [_CONTROL],
                input=b"quit -t 1\n",
                env=self._environment,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        self._daemon.__exit__()
        self._folder.cleanup()
