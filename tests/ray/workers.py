"""Actors that say how they run, and that work."""

from __future__ import annotations

import os
import time
from typing import Any


class Where:
    """Reports how and where the worker was started."""

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def pid(self) -> int:
        return os.getpid()

    def place(self) -> tuple[str, list[int]]:
        """The node, and the numbers of its devices."""
        import ray

        return ray.get_runtime_context().get_node_id(), ray.get_gpu_ids()


class Busy(Where):
    """Works with torch, with one thread or more."""

    def __init__(self) -> None:
        import torch

        self._matrix = torch.randn(200, 200)

    def work(self, seconds: float) -> int:
        """The number of products that the worker computes in that time, one by one."""
        done, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            self._matrix @ self._matrix
            done += 1
        return done

    def task(self) -> Any:
        """The worker's task as JSON; None without a task."""
        import giveway

        task = giveway.current()
        return None if task is None else task.to_json()
