"""Ends a Ray job that waits for its place.

The job's process reads Ray's own request to stop, and a waiting job has no process yet: Ray would
start it only to stop it. So a second job withdraws the first. The second job needs no place and
runs on the head node. It reaches the cluster by the same way as all jobs that are submitted.
"""

from __future__ import annotations

import shlex
import time
from typing import Any, Final

from giveway.errors import ClusterError
from giveway.ray.command import NODE_PYTHON

# Ray passes the raylet's pid to its workers but not to jobs. The parent of the job's shell is a
# worker.
_RAYLET: Final = (
    r"RAY_RAYLET_PID=$(tr '\0' '\n' </proc/$PPID/environ | sed -n 's/^RAY_RAYLET_PID=//p')"
)

# A job that got its place in the meantime has read the request to stop, and ends by itself.
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
        client: Ray's client for jobs, whose exceptions pass through.
        job: submission id of the job.

    Raises:
        ClusterError: the job could not be withdrawn.
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
            f"job {job} waits for a place and cannot be withdrawn: use ray job stop {job}"
        )
    # The job stays in Ray's list. Ray may check the job once more, and would report it as lost.
