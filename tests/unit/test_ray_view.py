"""The nodes of a cluster, put together from their answers."""

from __future__ import annotations

from typing import Any

from giveway.cli.live import cluster
from giveway.cli.parts import tasks as table
from giveway.observe.details import Details, key
from giveway.observe.pods import Pod
from giveway.ray.view import Node, NodeAnswer, nodes
from giveway.version import __version__

TASK = {
    "ticket": 1,
    "device": "cpu",
    "pid": 11,
    "name": "a",
    "priority": 0,
    "state": "idle",
    "is_thread": False,
    "launches": 1,
    "operators": 0,
    "holds": 0,
    "held_seconds": 0.0,
    "preemptions": 0,
    "joined_seconds": 1.0,
}
PROGRAM = {"pid": 12, "name": "b", "device": "cpu", "identity": "p", "mine": True}


def task(identity: str, mine: bool, **more: Any) -> dict[str, Any]:
    return {**TASK, **more, "identity": identity, "mine": mine}


def said(host: str, *tasks: dict[str, Any], version: str = __version__, **more: Any) -> NodeAnswer:
    return NodeAnswer(f"of {host}", host, {"version": version, "tasks": tasks, **more})


def where(found: list[Node]) -> dict[str, list[int]]:
    return {node.name: [task.pid for task in node.tasks] for node in found}


def test_nodes_on_one_machine_show_a_task_once_with_the_one_that_started_it() -> None:
    mine, theirs = task("x", True), task("x", False)
    assert where(nodes({"1111ab": said("m", theirs), "2222ab": said("m", mine)})) == {
        "m/1111": [],
        "m/2222": [11],
    }
    assert where(nodes({"1111ab": said("m", mine), "2222ab": said("m", theirs)})) == {
        "m/1111": [11],
        "m/2222": [],
    }


def test_a_task_has_the_details_that_its_node_sees() -> None:
    told = task("x", True, user="anna", command="python a.py", gpu=1, pod="web-0", colour="red")
    (node,) = nodes({"a": said("m", told, not_gated=[{**PROGRAM, "user": "bert"}])})
    (shown,), (other,) = node.tasks, node.not_gated
    assert node.details[key(shown)] == Details("anna", "python a.py", 1, pod=Pod("web-0"))
    assert node.details[key(other)] == Details("bert")
    rows = table.rows(*cluster._rows([node]), cluster._details([node]))
    cells = [[field.cell(row) for field in table.choose("device,user,gpu,pod", table.FIELDS)]
             for row in rows]  # fmt: skip
    assert cells == [["m:cpu", "anna", "1", "web-0"], ["m:cpu", "bert", "-", "-"]]


def test_what_no_node_started_is_shown_with_one_of_them() -> None:
    found = nodes({"b": said("m", task("x", False)), "a": said("m", task("x", False))})
    assert where(found) == {"m/a": [11], "m/b": []}


def test_machines_have_tasks_of_the_same_pid() -> None:
    found = nodes({"a": said("m", task("m 1", False)), "b": said("n", task("n 1", False))})
    assert where(found) == {"m": [11], "n": [11]}


def test_programs_without_a_task() -> None:
    (node,) = nodes({"a": said("m", not_gated=[PROGRAM])})
    assert [(program.pid, program.name) for program in node.not_gated] == [(12, "b")]


def test_a_silent_node_is_there() -> None:
    assert nodes({"a": NodeAnswer("1.2.3.4", "m", problem="does not answer")}) == [
        Node("a", "1.2.3.4", "m", problem="does not answer")
    ]


def test_another_version_says_more_or_less() -> None:
    newer = said("m", task("x", True, colour="red"), version="9.9")
    (node,) = nodes({"a": newer})
    assert (node.version, node.problem) == ("9.9", f"has giveway 9.9, this is {__version__}")
    assert where([node]) == {"m": [11]}

    strange = said("m", {"ticket": 1, "identity": "x", "mine": True}, version="9.9")
    (node,) = nodes({"a": strange})
    assert node.problem == f"has giveway 9.9, whose answer {__version__} does not understand"
    assert node.tasks == ()
