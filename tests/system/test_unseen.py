"""Processes that compute although giveway does not see it."""

from __future__ import annotations

import os
import sys
import time

from giveway.observe import unseen
from tests.conftest import Spawner
from tests.waiting import eventually


def test_a_process_that_waits_for_a_core_computes(spawn: Spawner) -> None:
    """Two processes on one core, of which one gets next to nothing."""
    core = str(min(os.sched_getaffinity(0)))
    loop = "print(flush=True)\nwhile True: pass"
    rival = spawn("taskset", "-c", core, sys.executable, "-c", loop)
    poor = spawn("taskset", "-c", core, "nice", "-n", "19", sys.executable, "-c", loop)
    for process in (rival, poor):
        assert process.stdout is not None
        assert process.stdout.readline()
    began, before = time.monotonic(), unseen.wanted_seconds(poor.pid)
    assert before is not None

    def computes() -> bool:
        now = unseen.wanted_seconds(poor.pid)
        return now is not None and now - before > 0.5 * (time.monotonic() - began) > 0.1

    assert eventually(computes)
