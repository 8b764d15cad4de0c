"""``giveway ps --ray`` and ``giveway top --ray``."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

import giveway.ray
from giveway.version import __version__
from tests.conftest import Runner, Spawner
from tests.ray.cluster import OLD_VERSION, LocalCluster
from tests.ray.workers import Busy
from tests.system.terminal import Terminal

PROPER = {"proper": 1}
PROBLEMS = [
    f"has giveway {OLD_VERSION}, this is {__version__}",
    "has no giveway that fits (No module named 'giveway')",
]


@pytest.fixture
def urgent(ray: Any) -> dict[str, Any]:
    """The task of an actor at work, which never had a name, with its node."""
    asked = giveway.ray.options(6, device="cpu", resources=PROPER)
    actor = ray.start(Busy, **asked)
    ray.get(actor.work.remote(0.1))
    return {**ray.get(actor.task.remote()), "node": ray.get(actor.place.remote())[0]}


def test_each_task_is_listed_once_with_its_node_and_what_is_wrong_with_nodes(
    giveway: Runner, cluster: LocalCluster, urgent: dict[str, Any]
) -> None:
    done = giveway("ps", "--ray", cluster.address, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    (mine,) = [task for task in document["tasks"] if task["pid"] == urgent["pid"]]
    assert (mine["node"], mine["ticket"]) == (urgent["node"], urgent["ticket"])
    assert mine["name"].startswith("ray::Busy")
    nodes = {node["id"]: node for node in document["nodes"]}
    assert nodes[urgent["node"]]["problem"] is None
    assert nodes[urgent["node"]]["version"] == __version__
    assert sorted(node["problem"] for node in nodes.values() if node["problem"]) == PROBLEMS


def test_a_node_that_was_killed_does_not_answer_and_the_others_do(
    giveway: Runner, cluster: LocalCluster, urgent: dict[str, Any]
) -> None:
    doomed = cluster.add("doomed")
    os.kill(doomed.all_processes["raylet"][0].process.pid, signal.SIGKILL)
    try:
        done = giveway("ps", "--ray", cluster.address)
    finally:
        cluster.remove(doomed)
    assert done.returncode == 0
    assert str(urgent["pid"]) in done.stdout
    assert all(problem in done.stdout for problem in [*PROBLEMS, "does not answer"])


def test_top_shows_a_node_that_is_lost_while_it_looks(
    spawn: Spawner, cluster: LocalCluster, urgent: dict[str, Any]
) -> None:
    doomed = cluster.add("doomed")
    terminal = Terminal(spawn, 140, "top", "--ray", cluster.address, "--interval", "1")
    terminal.wait_for("nodes answer")
    terminal.wait_for(str(urgent["pid"]))
    terminal.wait_for("4 of 5 nodes answer")
    os.kill(doomed.all_processes["raylet"][0].process.pid, signal.SIGKILL)
    try:
        terminal.wait_for("3 of 5 nodes answer", seconds=60)
        terminal.type("q")
        assert terminal.end() == 0
    finally:
        cluster.remove(doomed)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ps", "--ray", "127.0.0.1:1"], 8, "no Ray cluster at 127.0.0.1:1: Connection refused"),
        (["ps", "--ray", "nonsense"], 8, "no Ray cluster at nonsense: Invalid address"),
        (["top", "--ray=http://127.0.0.1:1"], 8, "no Ray cluster at http://127.0.0.1:1"),
        (["ps", "--device", "cpu", "--ray"], 2, "--device selects a local device"),
        (["top", "--ray", "--device", "cpu"], 2, "--device selects a local device"),
    ],
)
def test_a_mistake_is_one_line(
    giveway: Runner, arguments: list[str], code: int, words: str
) -> None:
    done = giveway(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("giveway: ")
    assert words in line
