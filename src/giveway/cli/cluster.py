"""What `ps` and `top` show of a Ray cluster."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from giveway.cli import ps
from giveway.errors import UsageError
from giveway.ray.connect import connected
from giveway.ray.observers import PATIENCE_SECONDS, Observers

if TYPE_CHECKING:
    from giveway.programs import Program
    from giveway.ray.view import Node
    from giveway.task import Task


def show(address: str, device: str | None, *, as_json: bool = False) -> int:
    """Prints the tasks of all nodes; the exit code.

    Raises:
        UsageError: a device is given as well.
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster at that address.
    """
    _refuse(device)
    with connected(address) as ray:
        nodes = Observers(ray).look(PATIENCE_SECONDS)
    if as_json:
        click.echo(json.dumps(_document(nodes), indent=2))
        return 0
    tasks, others = _rows(nodes)
    for line in (*ps.lines(tasks, others, ps.terminal_width()), *_notes(nodes)):
        click.echo(line)
    if not tasks and not others:
        click.echo(ps.NOBODY, err=True)
    return 0


def watch(address: str, device: str | None, interval: float) -> int:
    """Shows them on the screen until `q`; the exit code. Raises as `show`."""
    from giveway.cli import screen

    _refuse(device)
    with connected(address) as ray:
        observers = Observers(ray)

        def look() -> screen.Seen:
            nodes = observers.look(interval)
            answered = sum(node.version is not None for node in nodes)
            about = f"{answered} of {len(nodes)} nodes answer"
            return screen.Seen(*_rows(nodes), about, notes=_notes(nodes))

        return screen.watch(interval, look)


def _refuse(device: str | None) -> None:
    if device is not None:
        raise UsageError("--device is one of this machine and --ray shows a cluster: leave one out")


def _rows(nodes: Sequence[Node]) -> tuple[list[Task], list[Program]]:
    """Tasks and programs, each with its node before its device."""
    return (
        [_placed(node, task) for node in nodes for task in node.tasks],
        [_placed(node, program) for node in nodes for program in node.not_gated],
    )


def _placed(node: Node, what: Any) -> Any:
    return dataclasses.replace(what, device=f"{node.name}:{what.device}")


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
        "tasks": [{"node": node.id, **task.to_json()} for node in nodes for task in node.tasks],
        "not_gated": [
            {"node": node.id, **dataclasses.asdict(program)}
            for node in nodes
            for program in node.not_gated
        ],
    }
