"""Places the tasks of a scenario on devices: as the scenario states, or as Ray would place them.

Ray selects a node with enough free capacity in total, then the device of the node with the best
fit. If no single device of the node has enough, the task waits there, whatever other nodes have
free.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from giveway.sched import placement
from giveway.simulate.scenario import Program, Scenario

Place = int | None
"""The number of a device; None: the task waits for one."""

_WHOLE: Final = 10**placement.PRECISION
"""One device, in the smallest units that Ray allocates."""
_PREFERRED: Final = 0.2
"""The share of the nodes from which Ray chooses at random by default."""


def place(scenario: Scenario) -> Iterator[tuple[Program, int, Place]]:
    """Each copy of each program, with its number and its device."""
    copies = [(program, copy) for program in scenario.programs for copy in range(program.count)]
    if scenario.placement == "next":
        for program, copy in copies:
            at = copy if program.device is None else program.device
            yield program, copy, at % scenario.devices
        return
    cluster = _Cluster(scenario)
    order = list(range(len(copies)))
    cluster.random.shuffle(order)  # tasks arrive in any order
    part = _requested_part if scenario.placement == "fractions" else _placement_part
    places = {number: cluster.place(part(copies[number][0])) for number in order}
    for number, (program, copy) in enumerate(copies):
        yield program, copy, places[number]


def is_urgent(program: Program) -> bool:
    """Whether `giveway.ray.options` would give the program the one urgent place of a device."""
    return program.attributes.priority > 0


def _requested_part(program: Program) -> float:
    return program.gpus


def _placement_part(program: Program) -> float:
    return placement.fraction(is_urgent(program), program.attributes.share)


class _Cluster:
    """The free capacity of each device, by node."""

    def __init__(self, scenario: Scenario) -> None:
        self.random = Random(f"{scenario.seed} placement")
        size, devices = scenario.devices_per_node, scenario.devices
        self.free = [[_WHOLE] * min(size, devices - at) for at in range(0, devices, size)]
        self.total = [sum(node) for node in self.free]
        self.size = size
        self.choose = self._next if scenario.spread else self._packed
        self.next_node = 0

    def place(self, part: float) -> Place:
        wanted = round(part * _WHOLE)
        enough = [node for node, total in enumerate(self.total) if total >= wanted]
        if not enough:
            return None
        node = self.choose(enough)
        free = self.free[node]
        fitting = [at for at, left in enumerate(free) if left >= wanted]
        if not fitting:
            return None
        best = min(fitting, key=lambda at: free[at])
        free[best] -= wanted
        self.total[node] -= wanted
        return node * self.size + best

    def _next(self, enough: list[int]) -> int:
        """The next node, as with Ray's strategy SPREAD."""
        node = next((node for node in enough if node >= self.next_node), enough[0])
        self.next_node = node + 1
        return node

    def _packed(self, enough: list[int]) -> int:
        """One of the first nodes, as Ray's default while their cores are less than half used."""
        return self.random.choice(enough[: max(1, round(len(self.free) * _PREFERRED))])
