"""What the nodes of a cluster said, as values: which task is on which, each of them once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from giveway.observe.programs import Program
from giveway.sched.task import Task
from giveway.version import __version__


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of a node: who it is, and its answer (`giveway.ray.look`) or why there is
    none."""

    address: str
    host: str
    answer: Mapping[str, Any] | None = None
    problem: str = "has not answered yet"
    at: float = 0.0
    """When it answered, on this machine's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster, with the tasks that are shown as its own."""

    id: str
    address: str
    name: str
    """Its host's; with the beginning of its id where several nodes have that."""
    version: str | None = None
    """Of giveway there; None where it did not say."""
    problem: str | None = None
    """Why it says nothing, or what to know about what it says; a line, without its name."""
    tasks: tuple[Task, ...] = ()
    not_gated: tuple[Program, ...] = ()
    at: float = 0.0
    """When it said so, on this machine's monotonic clock."""


def nodes(said: Mapping[str, Said]) -> list[Node]:
    """The nodes by name, from what is known of each id.

    Nodes on one machine, or that share its gate pages, all see the same tasks. A task is shown with
    the node that started it, or else with the first that saw it.
    """
    owners = _owners(said)
    hosts = [each.host for each in said.values()]
    found = [
        _node(
            id_,
            each,
            each.host if hosts.count(each.host) == 1 else f"{each.host}/{id_[:4]}",
            owners,
        )
        for id_, each in said.items()
    ]
    return sorted(found, key=lambda node: (node.name, node.id))


def _owners(said: Mapping[str, Said]) -> dict[str, str]:
    """The node of each task and program, by what these are told apart by."""
    owners: dict[str, str] = {}
    for id_, each in sorted(said.items()):
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


def _node(id_: str, said: Said, name: str, owners: Mapping[str, str]) -> Node:
    if said.answer is None:
        return Node(id_, said.address, name, problem=said.problem)
    version, problem = str(said.answer.get("version")), None
    if version != __version__:
        problem = f"has giveway {version}, this is {__version__}"
    own = [row for row in _rows(said.answer) if owners[row["identity"]] == id_]
    try:
        tasks = tuple(_known(Task, row) for row in own if "ticket" in row)
        others = tuple(_known(Program, row) for row in own if "ticket" not in row)
    except TypeError:  # a field is missing
        problem = f"has giveway {version}, whose answer {__version__} does not understand"
        return Node(id_, said.address, name, version, problem)
    return Node(id_, said.address, name, version, problem, tasks, others, said.at)


def _known(kind: Any, row: Mapping[str, Any]) -> Any:
    """A value of what is known here; another version may say more."""
    names = {field.name for field in fields(kind)}
    return kind(**{key: value for key, value in row.items() if key in names})
