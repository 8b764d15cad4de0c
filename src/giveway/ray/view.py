"""The nodes of a cluster with their tasks, each task once, from the answers of the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from giveway.observe.details import Details, Key, key
from giveway.observe.programs import Program
from giveway.sched.task import Task
from giveway.version import __version__


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """A node, with its answer (`giveway.ray.node`) or the reason why there is none."""

    address: str
    host: str
    answer: Mapping[str, Any] | None = None
    problem: str = "has not answered yet"
    at: float = 0.0
    """When the node answered, on this machine's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster, with the tasks that are shown as its own."""

    id: str
    address: str
    name: str
    """The host's name, with the start of the node's id where several nodes are on the host."""
    version: str | None = None
    """The node's version of giveway; None without an answer."""
    problem: str | None = None
    """The reason for no answer, or a warning about the answer; a line, without the node's name."""
    tasks: tuple[Task, ...] = ()
    not_gated: tuple[Program, ...] = ()
    at: float = 0.0
    """When the node answered, on this machine's monotonic clock."""
    details: Mapping[Key, Details] = field(default_factory=dict)
    """Of these tasks and programs."""


def nodes(answers: Mapping[str, NodeAnswer]) -> list[Node]:
    """The nodes by name, from the answer of each node id.

    Nodes that share gate pages all report the same tasks. A task is listed with the node that
    started it, or else with the first node that reported it.
    """
    owners = _owners(answers)
    hosts = [each.host for each in answers.values()]
    found = [
        _node(
            id_,
            each,
            each.host if hosts.count(each.host) == 1 else f"{each.host}/{id_[:4]}",
            owners,
        )
        for id_, each in answers.items()
    ]
    return sorted(found, key=lambda node: (node.name, node.id))


def _owners(answers: Mapping[str, NodeAnswer]) -> dict[str, str]:
    """The node of each task and program, by its identity."""
    owners: dict[str, str] = {}
    for id_, each in sorted(answers.items()):
        for row in _rows(each.answer):
            if row.get("mine"):
                owners[row["identity"]] = id_
            else:
                owners.setdefault(row["identity"], id_)
    return owners


def _rows(answer: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    if answer is None:
        return []
    rows = [*answer.get("tasks", ()), *answer.get("not_gated", ())]
    return [row for row in rows if "identity" in row]


def _node(id_: str, given: NodeAnswer, name: str, owners: Mapping[str, str]) -> Node:
    if given.answer is None:
        return Node(id_, given.address, name, problem=given.problem)
    version, problem = str(given.answer.get("version")), None
    if version != __version__:
        problem = f"has giveway {version}, this is {__version__}"
    own = [row for row in _rows(given.answer) if owners[row["identity"]] == id_]
    try:
        shown = [_known(Task if "ticket" in row else Program, row) for row in own]
    except TypeError:  # a field is missing
        problem = f"has giveway {version}, whose answer {__version__} does not understand"
        return Node(id_, given.address, name, version, problem)
    tasks = tuple(each for each in shown if isinstance(each, Task))
    others = tuple(each for each in shown if isinstance(each, Program))
    details = {key(each): Details.from_json(row) for each, row in zip(shown, own, strict=True)}
    return Node(id_, given.address, name, version, problem, tasks, others, given.at, details)


def _known(kind: Any, row: Mapping[str, Any]) -> Any:
    """A value from the fields that this version knows. Another version may send more fields."""
    names = {each.name for each in fields(kind)}
    return kind(**{key: value for key, value in row.items() if key in names})
