"""A daemon that gets next to no core."""

from __future__ import annotations

import os
import sys
import time

from tests.conftest import Spawner
from tests.system.daemons import Daemon

SECONDS = 15.0
LOOPS = 100


def test_a_daemon_without_a_core_is_not_ended(spawn: Spawner) -> None:
    """It alone has the lowest priority, on a core that others fill.

    Many times in these seconds it is silent for longer than a daemon may be that hangs.
    """
    daemon = Daemon(spawn, "--policy", "fair")
    pid = daemon.status()["pid"]
    core = min(os.sched_getaffinity(0))
    loop = f"import os; os.sched_setaffinity(0, [{core}]); print(flush=True)\nwhile True: pass"
    loops = [spawn(sys.executable, "-c", loop) for _ in range(LOOPS)]
    for each in loops:
        assert each.stdout is not None
        each.stdout.readline()
    os.sched_setaffinity(pid, [core])
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    time.sleep(SECONDS)
    for each in loops:
        each.kill()
    assert (daemon.status()["pid"], daemon.policy()) == (pid, "fair")
    assert daemon.events("failed") == []
