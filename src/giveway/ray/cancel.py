"""Ends a Ray job that waits for its place.

Ray's own request to stop is read by the job's process, and one that waits has none: it would be
started only to be stopped. So a second job, which asks for no place and runs on the head, withdraws
the first. It needs no way to the cluster but the one that jobs are submitted by.
"""

from __future__ import annotations

import shlex
import time
from typing import Any, Final

from giveway.errors import ClusterError
from giveway.ray.command import NODE_PYTHON

# The parent of the job's shell is a worker of Ray, which knows its raylet; the job is not told.
_RAYLET: Final = (
    r"RAY_RAYLET_PID=$(tr '\0' '\n' </proc/$PPID/environ | sed -n 's/^RAY_RAYLET_PID=//p')"
)

# One that has its place after all has read the request to stop, and does.
_WITHDRAW: Final = """\
import sys, ray
from ray.dashboard.modules.job import common
name = common.JOB_ACTOR_NAME_TEMPLATE.format(job_id=sys.argv[1])
ray.init(log_to_driver=False)
try:
    job = ray.get_actor(name, namespace=common.SUPERVISOR_ACTOR_RAY_NAMESPACE)
except ValueError:
    sys.exit()
if not ray.wait([job.ping.remote()], timeout=0.5)[0]:
    ray.kill(job)
"""
_SECONDS: Final = 20.0


def pending(client: Any, job: str) -> None:
    """Withdraws a job.

    Args:
        client: Ray's, for jobs; raises what it does.
        job: its submission id.

    Raises:
        ClusterError: it could not be withdrawn.
    """
    helper = f"{job}_cancel"
    line = f"{_RAYLET}; exec {NODE_PYTHON} -c {shlex.quote(_WITHDRAW)} {shlex.quote(job)}"
    client.submit_job(entrypoint=line, submission_id=helper)
    until = time.monotonic() + _SECONDS
    while not (status := client.get_job_status(helper)).is_terminal():
        if time.monotonic() >= until:
            client.stop_job(helper)
            break
        time.sleep(0.1)
    if status.value != "SUCCEEDED":
        raise ClusterError(
            f"job {job} waits for a place and cannot be withdrawn: ray job stop {job}"
        )
    # It stays in Ray's list: Ray may be about to look at it once more, and would find it lost.
