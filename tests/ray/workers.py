"""Actors that say how they run, and that work."""

from __future__ import annotations

import os
import time
from typing import Any


class Where:
    """Says what it was started with, and where."""

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
        """How many products it computes in that time, one after the other."""
        done, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            self._matrix @ self._matrix
            done += 1
        return done

    def task(self) -> Any:
        """Its own task, as JSON; None where it has none."""
        import giveway

        task = giveway.current()
        return None if task is None else task.to_json()
