"""Starts each program in the way of each mode."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack

from giveway.bench import modes, pinning
from giveway.bench.command_runner import CommandRunner
from giveway.bench.guard import Guard
from giveway.bench.model_runner import ModelRunner
from giveway.bench.mps import Mps
from giveway.bench.ports import Ports
from giveway.bench.quota import Group
from giveway.bench.runner import Runner
from giveway.bench.server_runner import ServerRunner
from giveway.scenarios.model import Program, Scenario
from giveway.scenarios.modes import uses_mps


class Starts:
    """Makes the runners of programs that run at the same time.

    Models, and servers with ports of their own, start at once and in parallel. The others start
    when they are prepared for a segment.

    Args:
        scenario: their scenario.
        programs: the programs.
        device: the device to measure on.
        guard: knows the processes.
        stack: ends all that was started.
    """

    def __init__(
        self,
        scenario: Scenario,
        programs: Sequence[Program],
        device: str,
        guard: Guard,
        stack: ExitStack,
    ) -> None:
        self._scenario, self._programs, self._device = scenario, programs, device
        self._guard, self._stack = guard, stack
        self._pins = pinning.prefixes(
            [each.name for each in programs], device, sorted(os.sched_getaffinity(0))
        )
        self._servers: dict[str, list[ServerRunner]] = {each.name: [] for each in programs}
        """The runners of each server, one for each way of starting it."""
        self._ports = Ports()
        self._mps: str | None = None

    def runner(self, mode: str, program: Program) -> Runner:
        """The runner of a program in a mode; one that exists if it starts in the same way.

        Raises:
            ProgramFailedError: the program, or what it needs, cannot be started.
        """
        if uses_mps(mode) and self._mps is None:
            self._mps = self._stack.enter_context(Mps(self._guard))
        setup = modes.setup(mode, self._device, self._scenario, program, self._mps)
        prefix = (*self._pins.get(program.name, ()), *setup.prefix)
        if program.quota is not None:
            group = self._stack.enter_context(Group(f"{mode}-{program.name}", program.quota))
            prefix = (*group.prefix, *prefix)
        common = (setup.environment, self._guard, prefix)
        if program.server is not None:
            siblings = self._servers[program.name]
            for sibling in siblings:
                if sibling.starts_alike(setup.environment, prefix):
                    return sibling
            server = ServerRunner(
                program, self._scenario, *common, siblings=siblings, ports=self._ports
            )
            self._stack.callback(server.close)
            if server.own_port:
                server.start()
            return server
        runner: Runner
        if program.command:
            runner = CommandRunner(program, self._scenario, *common)
        else:
            runner = ModelRunner(
                program, self._scenario, self._device, *common, stream=setup.stream
            )
        self._stack.callback(runner.close)
        return runner

    def ask_servers_to_end(self) -> None:
        """Sends SIGTERM to all servers, so that they take their time to end together."""
        for server in (each for servers in self._servers.values() for each in servers):
            server.ask_to_end()
