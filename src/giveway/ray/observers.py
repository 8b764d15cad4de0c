"""Asks all nodes of a cluster for their tasks, through one small Ray actor on each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from giveway.errors import ClusterError, GivewayError
from giveway.ray.connect import failures, first_sentence, head_of, knock
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
    asked_at: float | None = None

    @property
    def is_overdue(self) -> bool:
        return self.asked_at is not None and time.monotonic() - self.asked_at >= PATIENCE_SECONDS


class Observers:
    """One on each node of the cluster that Ray is connected to; they end with the connection.

    Args:
        ray: the module.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._head = head_of(ray)
        self._observer = _observer(ray)
        self._of: dict[str, _Observed] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether a node that was asked may still answer in time."""
        return any(each.question is not None and not each.is_overdue for each in self._of.values())

    def look(self, seconds: float, every: float = 0.0) -> list[Node]:
        """Asks all nodes, and waits for their answers for at most so long.

        A node that is late is as it was at the last look, until its patience is over. One that has
        left the cluster since the first look says so.

        Args:
            seconds: how long to wait.
            every: who was asked less than so many seconds ago is not asked again.

        Raises:
            ClusterError: the cluster is gone.
        """
        try:
            knock(self._head)  # Ray would wait for it, and end this process after a minute
            self._meet()
            self._ask(every)
            self._listen(seconds)
        except failures() as error:
            why = first_sentence(str(error))
            raise ClusterError(f"the Ray cluster does not answer any more: {why}") from error
        return nodes({id_: observed.said for id_, observed in self._of.items()})

    def _meet(self) -> None:
        """Observers for nodes that are new, or that have lost theirs; none for those that are
        gone."""
        alive = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        for id_, node in alive.items():
            if id_ not in self._of:
                said = Said(node["NodeManagerAddress"], node["NodeManagerHostname"])
                self._of[id_] = _Observed(said, self._start(id_))
            elif self._of[id_].actor is None:
                self._of[id_].actor = self._start(id_)
        for id_ in self._of.keys() - alive.keys():
            gone = self._of[id_]
            gone.actor = gone.question = None
            gone.said = _silent(gone.said, "has left the cluster, or was lost")

    def _start(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node, soft=False)
        return self._observer.options(scheduling_strategy=there).remote()

    def _ask(self, every: float) -> None:
        now = time.monotonic()
        for observed in self._of.values():
            is_due = observed.asked_at is None or now - observed.asked_at >= every
            if observed.question is None and observed.actor is not None and is_due:
                observed.question = observed.actor.look.remote()
                observed.asked_at = now

    def _listen(self, seconds: float) -> None:
        asked = {each.question: each for each in self._of.values() if each.question is not None}
        ready: list[Any] = []
        if asked:
            ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=seconds)
        for question in ready:
            observed = asked.pop(question)
            observed.question = None
            try:
                answer, now = self._ray.get(question), time.monotonic()
                observed.said = Said(observed.said.address, observed.said.host, answer, at=now)
            except self._ray.exceptions.RayTaskError as error:  # whatever was raised there
                observed.said = _silent(observed.said, _why(error))
            except self._ray.exceptions.RayError:
                observed.actor = None  # the next look starts another one
                observed.said = _silent(observed.said, "does not answer: its observer has ended")
        for observed in asked.values():
            if observed.is_overdue:
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
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, ImportError):
        return f"has no giveway that fits ({cause})"
    if isinstance(cause, GivewayError):
        return str(cause)
    return f"cannot look: {type(cause).__name__}: {first_sentence(str(cause))}"
