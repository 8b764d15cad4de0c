"""Reads the tasks of all nodes of a cluster, by one small Ray actor on each node."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from giveway.errors import ClusterError, GivewayError
from giveway.ray.connect import failures, first_sentence, head_of, while_reachable
from giveway.ray.view import Node, NodeAnswer, nodes

PATIENCE_SECONDS: Final = 10.0
"""Time limit for a node's answer. Ray takes one to three seconds to start an observer."""


@dataclass(slots=True)
class _Observed:
    """An observer, with its last answer and its pending request."""

    answer: NodeAnswer
    actor: Any
    request: Any = None
    sent_at: float | None = None

    @property
    def is_overdue(self) -> bool:
        return self.sent_at is not None and time.monotonic() - self.sent_at >= PATIENCE_SECONDS


class Observers:
    """An observer on each node of the connected cluster. Observers end with the connection.

    Args:
        ray: the module ``ray``.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._head = head_of(ray)
        self._observer = _observer(ray)
        self._of: dict[str, _Observed] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether a node may still answer in time."""
        return any(each.request is not None and not each.is_overdue for each in self._of.values())

    def update(self, seconds: float, every: float = 0.0) -> list[Node]:
        """Sends a request to each node, and waits for the answers.

        A node that is late keeps its last answer until `PATIENCE_SECONDS` are over. A node that has
        left the cluster since the first update is listed with this problem.

        Args:
            seconds: longest time to wait.
            every: least time between two requests to a node, in seconds.

        Raises:
            ClusterError: the cluster is gone.
        """
        try:
            while_reachable(self._head, self._update_observers)
            self._send_requests(every)
            self._receive_answers(seconds)
        except failures() as error:
            why = first_sentence(str(error))
            raise ClusterError(f"the Ray cluster no longer answers: {why}") from error
        return nodes({id_: observed.answer for id_, observed in self._of.items()})

    def _update_observers(self) -> None:
        """Starts an observer on each node without one, and drops those of nodes that are gone."""
        alive = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        for id_, node in alive.items():
            if id_ not in self._of:
                answer = NodeAnswer(node["NodeManagerAddress"], node["NodeManagerHostname"])
                self._of[id_] = _Observed(answer, self._start(id_))
            elif self._of[id_].actor is None:
                self._of[id_].actor = self._start(id_)
        for id_ in self._of.keys() - alive.keys():
            gone = self._of[id_]
            gone.actor = gone.request = None
            gone.answer = _failed(gone.answer, "has left the cluster, or was lost")

    def _start(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node, soft=False)
        return self._observer.options(scheduling_strategy=there).remote()

    def _send_requests(self, every: float) -> None:
        now = time.monotonic()
        for observed in self._of.values():
            is_due = observed.sent_at is None or now - observed.sent_at >= every
            if observed.request is None and observed.actor is not None and is_due:
                observed.request = observed.actor.read_tasks.remote()
                observed.sent_at = now

    def _receive_answers(self, seconds: float) -> None:
        pending = {each.request: each for each in self._of.values() if each.request is not None}
        ready: list[Any] = []
        if pending:
            ready, _ = self._ray.wait(list(pending), num_returns=len(pending), timeout=seconds)
        for request in ready:
            observed = pending.pop(request)
            observed.request = None
            last = observed.answer
            try:
                values, now = self._ray.get(request), time.monotonic()
                observed.answer = NodeAnswer(last.address, last.host, values, at=now)
            except self._ray.exceptions.RayTaskError as error:  # any exception on the node
                observed.answer = _failed(last, _problem(error))
            except self._ray.exceptions.RayError:
                observed.actor = None  # the next update starts another observer
                observed.answer = _failed(last, "does not answer: its observer has ended")
        for observed in pending.values():
            if observed.is_overdue:
                observed.answer = _failed(observed.answer, "does not answer")


def _failed(last: NodeAnswer, problem: str) -> NodeAnswer:
    return NodeAnswer(last.address, last.host, None, problem)


def _observer(ray: Any) -> Any:
    class Observer:
        """A local class, which Ray sends by value. So a node without giveway can report that."""

        def read_tasks(self) -> Mapping[str, Any]:
            from giveway.ray import node

            return node.read_tasks()

    return ray.remote(num_cpus=0)(Observer)


def _problem(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, ImportError):
        return f"has no giveway that fits ({cause})"
    if isinstance(cause, GivewayError):
        return str(cause)
    return f"cannot read its tasks: {type(cause).__name__}: {first_sentence(str(cause))}"
