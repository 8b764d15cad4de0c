"""Killed nodes and workers, nodes without giveway or with another version: work goes on, or one
line says what is wrong and where."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

import giveway.ray
from giveway.version import __version__
from tests.ray.cluster import OLD_VERSION, LocalCluster
from tests.ray.conftest import Driver
from tests.ray.workers import Busy, Where

PROPER = {"proper": 1}
TWO_THREADS = {"env_vars": {"OMP_NUM_THREADS": "2"}}
ON = """
asked = giveway.ray.options(5, device={device!r}, num_gpus=0, resources={{{node!r}: 1}})
@ray.remote(**asked)
def priority():
    import os
    return os.environ.get("GIVEWAY_PRIORITY")
print("priority", ray.get(priority.remote(), timeout=60))
"""


def ours(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The lines of giveway. Ray shows a line once for each node that logs to this folder."""
    lines = (done.stdout + done.stderr).splitlines()
    return {line.partition("giveway: ")[2] for line in lines if "giveway: " in line}


def test_a_node_without_giveway_runs_workers_ungated_and_says_so(driver: Driver) -> None:
    done = driver(ON.format(device="cpu", node="bare"))
    assert done.returncode == 0, done.stderr
    assert "priority None" in done.stdout
    (line,) = ours(done)
    assert f"on {os.uname().nodename} has no giveway that fits: a worker runs ungated" in line


def test_a_node_with_another_version_says_so_and_gates_all_the_same(driver: Driver) -> None:
    done = driver(ON.format(device="cpu", node="older"))
    assert "priority 5" in done.stdout, done.stderr
    (line,) = ours(done)
    assert (
        f"on {os.uname().nodename} giveway is version {OLD_VERSION} here and {__version__}" in line
    )


def test_a_node_without_the_device_runs_workers_ungated_and_says_so(driver: Driver) -> None:
    done = driver(ON.format(device="hip", node="proper"))
    assert "priority None" in done.stdout, done.stderr
    (line,) = ours(done)
    assert f"on {os.uname().nodename} unknown device 'hip'" in line
    assert line.endswith("a worker runs ungated")


def test_an_actor_that_ray_starts_again_is_under_giveway_again(ray: Any) -> None:
    asked = giveway.ray.options(4, device="cpu", max_restarts=1, resources=PROPER)
    actor = ray.start(Where, **asked)
    first = ray.get(actor.pid.remote())
    os.kill(first, signal.SIGKILL)
    environment = again(ray, actor, since=first)
    assert environment["GIVEWAY_PRIORITY"] == "4"


def again(ray: Any, actor: Any, since: int) -> dict[str, str]:
    """The environment of the actor's next process; a worker outlives its raylet for a moment."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            environment = dict(ray.get(actor.environment.remote()))
        except ray.exceptions.RayActorError:
            environment = {}
        if environment and environment["GIVEWAY_RUN"] != str(since):
            return environment
        time.sleep(0.1)
    raise AssertionError("it is not started again")


def test_an_urgent_worker_that_is_killed_at_work_holds_nobody(ray: Any) -> None:
    urgent, other = (
        ray.start(
            Busy,
            **giveway.ray.options(
                priority, device="cpu", runtime_env=TWO_THREADS, resources=PROPER
            ),
        )
        for priority in (10, 0)
    )
    ray.get([urgent.work.remote(0.1), other.work.remote(0.1)])
    pid = ray.get(urgent.pid.remote())
    urgent.work.remote(60)
    held = ray.get(other.work.remote(1))
    os.kill(pid, signal.SIGKILL)
    free = ray.get(other.work.remote(1))
    assert free > 5 * held


def test_a_node_that_is_killed_is_replaced_and_the_others_work_on(
    cluster: LocalCluster, ray: Any
) -> None:
    node = cluster.add("doomed")
    asked = giveway.ray.options(4, device="cpu", max_restarts=-1, resources={"doomed": 1})
    actor = ray.start(Where, **asked)
    survivor = ray.start(Where, **giveway.ray.options(device="cpu", resources=PROPER))
    lost = ray.get(actor.pid.remote())
    os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)
    replacement = cluster.add("doomed")
    try:
        assert ray.get(survivor.environment.remote())["GIVEWAY_PRIORITY"] == "0"
        environment = again(ray, actor, since=lost)
        assert environment["GIVEWAY_PRIORITY"] == "4"
    finally:
        cluster.remove(replacement)
