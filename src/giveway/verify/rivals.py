"""Runs rivals of lower and of higher priority beside the checks."""

from __future__ import annotations

import contextlib
import os
import random
import select
import subprocess
import sys
import threading
import time
from typing import Final

from giveway import launch
from giveway.errors import ProgramError
from giveway.verify.options import Options

PRIORITIES: Final = (-10, 10)
"""The priorities of rivals: below and above that of the checks."""
_SECONDS: Final = (1.0, 8.0)
"""The shortest and the longest life of a rival. Afterwards, half of them are killed and half are
terminated."""
_START_SECONDS: Final = 120.0
_END_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1


class Rivals:
    """Keeps a constant number of rivals running; a context manager.

    Entering waits until the first rivals work. Raises ProgramError if a rival does not start to
    work, because checks beside idle rivals would prove nothing.
    """

    def __init__(self, options: Options) -> None:
        self.worked = 0
        """The number of rivals that have done some work."""
        self._random = random.Random(options.seed)
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._problem: str | None = None
        self._arguments = [options.device, str(os.getpid())]
        environments = [
            launch.environment(os.environ, options.device, priority, f"rival{priority:+d}")
            for priority in PRIORITIES
            for _ in range(options.rivals)
        ]
        self._threads = [threading.Thread(target=self._keep, args=(each,)) for each in environments]

    def __enter__(self) -> Rivals:
        try:
            for thread in self._threads:
                thread.start()
            with self._changed:
                self._changed.wait_for(
                    lambda: self._problem is not None or self.worked >= len(self._threads)
                )
            if self._problem is not None:
                raise ProgramError(self._problem)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():  # Ctrl-C may have come before all of them were started
                thread.join()

    def _keep(self, environment: dict[str, str]) -> None:
        while not self._stop.is_set() and self._problem is None:
            with self._changed:
                seconds, seed = self._random.uniform(*_SECONDS), self._random.getrandbits(32)
            with subprocess.Popen(
                [sys.executable, "-P", "-m", "giveway.verify.rival", *self._arguments, str(seed)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            ) as popen:
                works = self._wait_for_work(popen)
                with self._changed:
                    self.worked += works
                    if not works and not self._stop.is_set():
                        self._problem = (
                            "a rival did not start to work: try giveway verify --only import"
                        )
                    self._changed.notify_all()
                self._stop.wait(seconds if works else 0)
                if seed % 2 and not self._stop.is_set():
                    popen.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        popen.wait(_END_SECONDS)
                popen.kill()

    def _wait_for_work(self, popen: subprocess.Popen[bytes]) -> bool:
        """Waits for the byte that the rival writes after its first work; False without one."""
        assert popen.stdout is not None
        deadline = time.monotonic() + _START_SECONDS
        while not self._stop.is_set() and time.monotonic() < deadline:
            if select.select([popen.stdout], [], [], _POLL_SECONDS)[0]:
                return bool(os.read(popen.stdout.fileno(), 1))
        return False
