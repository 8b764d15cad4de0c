"""Tasks of lower and of higher priority that come and go beside the checks."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from typing import Final

from giveway import launch
from giveway.verify.options import Options

PRIORITIES: Final = (-10, 10)
"""Below and above that of the checks."""
_SECONDS: Final = (3.0, 10.0)
"""How long a rival lives: between these. Some are killed, the others may say goodbye."""


class Rivals:
    """A context manager: while it is open, so many of them run at any time."""

    def __init__(self, options: Options) -> None:
        self.started = 0
        self._random = random.Random(options.seed)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._arguments = [options.device, str(os.getpid())]
        self._environments = [
            launch.environment(os.environ, options.device, priority, f"rival{priority:+d}")
            for priority in PRIORITIES
            for _ in range(options.rivals)
        ]
        self._threads = [
            threading.Thread(target=self._keep, args=(environment,))
            for environment in self._environments
        ]

    def __enter__(self) -> Rivals:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, environment: dict[str, str]) -> None:
        while not self._stop.is_set():
            with self._lock:
                self.started += 1
                seconds, seed = self._random.uniform(*_SECONDS), self._random.getrandbits(32)
            popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "giveway.verify.rival", *self._arguments, str(seed)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._stop.wait(seconds)
            popen.send_signal(signal.SIGTERM if seed % 2 and not self._stop.is_set() else 9)
            popen.wait()
