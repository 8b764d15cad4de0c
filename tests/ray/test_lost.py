"""A head that is killed, and observers that are: one line, or another observer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from giveway.ray.observers import Observers
from tests.conftest import GIVEWAY, Spawner
from tests.ray import cluster as clusters
from tests.ray.cluster import LocalCluster
from tests.system.terminal import LEAVE_SCREEN, Terminal

HEAD = """
import json, sys
from ray.cluster_utils import Cluster
options = {"num_cpus": 1, "dashboard_port": 0, "include_dashboard": True}
options["dashboard_agent_listen_port"] = 0  # its own is another cluster's already
cluster = Cluster(initialize_head=True, head_node_args=options | {"object_store_memory": 80 << 20})
processes = cluster.head_node.all_processes.values()
pids = [each.process.pid for several in processes for each in several]
print(json.dumps({"address": cluster.address, "dashboard": cluster.webui_url, "pids": pids}))
sys.stdout.flush()
input()
"""


class Head:
    """A cluster of one node."""

    def __init__(self, spawn: Spawner, folder: Path) -> None:
        settings = clusters.SETTINGS | clusters.ray_folder(folder)
        process = spawn(sys.executable, "-c", HEAD, env=settings)
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        said = json.loads(next(line for line in lines if line.startswith("{")))
        self.address, self.dashboard = said["address"], f"http://{said['dashboard']}"
        self._pids = said["pids"]

    def kill(self) -> None:
        """All of it, at once."""
        self._send(signal.SIGKILL)

    def stop(self) -> None:
        """Stands still, as a head that the network has lost. Ports accept connections."""
        self._send(signal.SIGSTOP)

    def _send(self, which: signal.Signals) -> None:
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, which)


@pytest.fixture
def head(spawn: Spawner) -> Iterator[Head]:
    with clusters.short_folder() as folder:
        head = Head(spawn, folder)
        yield head
        head.kill()


def one_line(text: str) -> str:
    """The only line of giveway about the cluster."""
    (line,) = [line for line in text.splitlines() if line.startswith("giveway: the Ray cluster")]
    assert "Traceback" not in text
    return line


def test_a_head_that_is_killed_is_one_line(spawn: Spawner, head: Head, tmp_path: Path) -> None:
    said = tmp_path / "stderr"
    top = Terminal(spawn, 140, "top", "--ray", head.address, "--interval", "1")
    with said.open("w") as file:
        at = ("submit", "--address", head.dashboard, "--device", "cpu")
        job = spawn(GIVEWAY, *at, "--", "sh", "-c", "echo runs; sleep 100", stderr=file)
        top.wait_for("1 of 1 nodes answer", seconds=60)
        assert job.stdout is not None
        assert "runs\n" in iter(job.stdout.readline, "")
        head.kill()
        began = time.monotonic()
        assert top.end() == 8
        one_line(top.output.split(LEAVE_SCREEN)[-1].decode())
        assert job.wait(60) == 8
        one_line(said.read_text())
    assert time.monotonic() - began < 60  # after which Ray would end these processes itself


def test_top_ends_with_one_line_when_the_head_stands_still(spawn: Spawner, head: Head) -> None:
    top = Terminal(spawn, 140, "top", "--ray", head.address, "--interval", "1")
    top.wait_for("1 of 1 nodes answer", seconds=60)
    head.stop()
    assert top.end() == 8
    assert "has not answered for 10 s" in one_line(top.output.split(LEAVE_SCREEN)[-1].decode())


def test_an_observer_that_was_killed_is_started_again(cluster: LocalCluster, ray: Any) -> None:
    observers = Observers(ray)
    node = ray.get_runtime_context().get_node_id()

    def problem() -> str | None:
        return next(each.problem for each in observers.update(10) if each.id == node)

    assert problem() is None
    ray.kill(observers._of[node].actor)
    assert problem() == "does not answer: its observer has ended"
    assert problem() is None


def test_top_takes_keys_while_a_node_is_silent(spawn: Spawner, cluster: LocalCluster) -> None:
    silent = cluster.add("silent")
    os.kill(silent.all_processes["raylet"][0].process.pid, signal.SIGSTOP)
    try:
        top = Terminal(spawn, 140, "top", "--ray", cluster.address, "--interval", "600")
        top.wait_for("3 of 5 nodes answer", seconds=10)  # before anybody's patience is over
        top.type("n")
        top.wait_for("by name", seconds=3)
        top.type("q")
        assert top.end() == 0
    finally:
        cluster.remove(silent)
