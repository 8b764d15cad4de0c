"""Asks all nodes of a cluster for their tasks, through one small Ray actor on each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from giveway.errors import GivewayError
from giveway.ray.view import Node, Said, nodes

PATIENCE_SECONDS: Final = 10.0
"""After which a node that was asked counts as one that does not answer. Ray takes one to three
until a new observer has started."""


@dataclass(slots=True)
class _Observed:
    """An observer, and what it was asked and said last."""

    said: Said
    actor: Any
    question: Any = None
    asked_at: float = 0.0


class Observers:
    """One on each node of the cluster that Ray is connected to; they end with the connection.

    Args:
        ray: the module.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._observer = _observer(ray)
        self._of: dict[str, _Observed] = {}

    def look(self, seconds: float) -> list[Node]:
        """Asks all nodes, and waits for their answers for at most so long.

        A node that is late is as it was at the last look, until its patience is over. One that has
        left the cluster since the first look says so.
        """
        self._meet()
        for observed in self._of.values():
            if observed.question is None and observed.actor is not None:
                observed.question = observed.actor.look.remote()
                observed.asked_at = time.monotonic()
        self._listen(seconds)
        return nodes({id_: observed.said for id_, observed in self._of.items()})

    def _meet(self) -> None:
        """Observers for nodes that are new, none any more for those that are gone."""
        alive = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        for id_, node in alive.items():
            if id_ not in self._of:
                said = Said(node["NodeManagerAddress"], node["NodeManagerHostname"])
                self._of[id_] = _Observed(said, self._start(id_))
        for id_ in self._of.keys() - alive.keys():
            gone = self._of[id_]
            gone.actor = gone.question = None
            gone.said = _silent(gone.said, "has left the cluster, or was lost")

    def _start(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node, soft=False)
        return self._observer.options(scheduling_strategy=there).remote()

    def _listen(self, seconds: float) -> None:
        asked = {each.question: each for each in self._of.values() if each.question is not None}
        ready: list[Any] = []
        if asked:
            ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=seconds)
        for question in ready:
            observed = asked.pop(question)
            observed.question = None
            try:
                answer = self._ray.get(question)
                observed.said = Said(observed.said.address, observed.said.host, answer)
            except Exception as error:  # whatever was raised there arrives here
                observed.said = _silent(observed.said, _why(error))
        for observed in asked.values():
            if time.monotonic() - observed.asked_at >= PATIENCE_SECONDS:
                observed.said = _silent(observed.said, "does not answer")


def _silent(said: Said, problem: str) -> Said:
    return Said(said.address, said.host, None, problem)


def _observer(ray: Any) -> Any:
    class Observer:
        """Local, so that Ray sends it by value: a node without giveway can still say so."""

        def look(self) -> Mapping[str, Any]:
            from giveway.ray.look import look

            return look()

    return ray.remote(num_cpus=0)(Observer)


def _why(error: Exception) -> str:
    cause = getattr(error, "cause", None)
    if isinstance(cause, ImportError):
        return f"has no giveway that fits ({cause})"
    if isinstance(cause, GivewayError):
        return str(cause)
    return "does not answer"
