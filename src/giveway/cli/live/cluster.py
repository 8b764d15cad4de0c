"""The tasks of a Ray cluster, for `ps` and `top`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from giveway.cli.live.view import View
from giveway.cli.parts import tasks as table
from giveway.cli.parts.lines import echo_line
from giveway.cli.parts.tasks import NO_TASKS, Field
from giveway.errors import ClusterError, UsageError
from giveway.observe.details import UNKNOWN, Details, Key, key
from giveway.ray.connect import connected
from giveway.ray.observers import PATIENCE_SECONDS, Observers

if TYPE_CHECKING:
    from giveway.observe.programs import Program
    from giveway.ray.view import Node
    from giveway.sched.task import Task

_SECONDS: Final = 0.25
"""Time to wait for answers, and then for a key, while nodes may still answer."""


def show(
    address: str,
    device: str | None,
    chosen: Sequence[Field] | None = None,
    *,
    as_csv: bool = False,
    as_json: bool = False,
) -> int:
    """Prints the tasks of all nodes. Returns the exit code.

    Raises:
        UsageError: a device is given as well.
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster at that address, or no node answers.
    """
    _refuse(device)
    with connected(address) as ray:
        nodes = Observers(ray).update(PATIENCE_SECONDS)
    if as_json:
        click.echo(json.dumps(_document(nodes), indent=2))
    else:
        found = table.rows(*_rows(nodes), _details(nodes))
        table.show(found, chosen, as_csv=as_csv)
        for note in _notes(nodes):
            echo_line(note, err=as_csv)
        if not found and _answered(nodes):
            echo_line(NO_TASKS, err=True)
    if not _answered(nodes):
        raise ClusterError("no node of the cluster lists its tasks")
    return 0


def watch(address: str, device: str | None, interval: float, chosen: Sequence[Field] | None) -> int:
    """Shows the tasks on the screen until `q`. Returns the exit code. Raises as `show` does."""
    from giveway.cli.live import screen

    _refuse(device)
    with connected(address) as ray:
        observers = Observers(ray)

        def read() -> View:
            nodes = observers.update(_SECONDS, interval)
            answered = _answered(nodes)
            return View(
                *_rows(nodes),
                f"{answered} of {len(nodes)} nodes answer",
                notes=_notes(nodes),
                empty=NO_TASKS if answered else "No node of the cluster lists its tasks.",
                at={
                    (task.device, task.ticket): node.at
                    for node in nodes
                    for task in _rows([node])[0]
                },
                details=_details(nodes),
                update_after=_SECONDS if observers.is_waiting else None,
            )

        return screen.watch(interval, read, chosen)


def _refuse(device: str | None) -> None:
    if device is not None:
        raise UsageError("--device selects a local device and --ray a cluster: use one of them")


def _answered(nodes: Sequence[Node]) -> int:
    return sum(node.version is not None for node in nodes)


def _rows(nodes: Sequence[Node]) -> tuple[list[Task], list[Program]]:
    """Tasks and programs, each with its node before its device."""
    return (
        [_placed(node, task) for node in nodes for task in node.tasks],
        [_placed(node, program) for node in nodes for program in node.not_gated],
    )


def _details(nodes: Sequence[Node]) -> dict[Key, Details]:
    found: dict[Key, Details] = {}
    for node in nodes:
        shown: list[Task | Program] = [*node.tasks, *node.not_gated]
        for each in shown:
            found[key(_placed(node, each))] = node.details.get(key(each), UNKNOWN)
    return found


def _placed(node: Node, row: Any) -> Any:
    return dataclasses.replace(row, device=f"{node.name}:{row.device}")


def _notes(nodes: Sequence[Node]) -> list[str]:
    return [f"{node.name} ({node.address}) {node.problem}" for node in nodes if node.problem]


def _document(nodes: Sequence[Node]) -> dict[str, Any]:
    return {
        "schema": 1,
        "nodes": [
            {
                **{name: getattr(node, name) for name in ("id", "address", "name", "version")},
                "problem": node.problem,
            }
            for node in nodes
        ],
        "tasks": [
            {"node": node.id, **task.to_json(), **node.details.get(key(task), UNKNOWN).to_json()}
            for node in nodes
            for task in node.tasks
        ],
        "not_gated": [
            {"node": node.id, **program.to_json()} for node in nodes for program in node.not_gated
        ],
    }
