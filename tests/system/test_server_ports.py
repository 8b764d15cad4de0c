"""Servers with ports of their own: they run at the same time, and each has a free port."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from giveway.bench.guard import Guard
from giveway.bench.ports import Ports, is_taken
from giveway.bench.process import ProgramFailedError
from giveway.bench.server_runner import ServerRunner
from giveway.scenarios.model import Arrivals, Program, Scenario, Server, Tokens
from tests.system.processes import all_gone
from tests.system.test_server_runner import REQUESTS, SERVER, measured
from tests.waiting import eventually

URL = "http://127.0.0.1:{port}/v1/completions"
Start = Callable[..., ServerRunner]


class First(Ports):
    """Gives certain ports before others."""

    def __init__(self, *ports: int) -> None:
        super().__init__()
        self._first = list(ports)

    def choose(self, url: str) -> int:
        return self._first.pop(0) if self._first else super().choose(url)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program takes before the server does."""
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        yield owner.getsockname()[1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server with a behaviour; it notes its start in a file that has the port's name."""
    siblings = list[ServerRunner]()
    with Guard() as guard:

        def start(behaviour: str = "well", ports: Ports | None = None) -> ServerRunner:
            stated = {"STARTS": f"{tmp_path}/{{port}}", "ENDS": f"{tmp_path}/ends"}
            program = Program(
                "high",
                Arrivals("fixed", 50.0),
                command=(sys.executable, SERVER, "{port}", behaviour),
                environment=stated,
                tokens=Tokens((4, 8), (2, 6)),
                server=Server(URL),
            )
            scenario = Scenario("mine", "mine", (program,), start_timeout=60)
            runner = ServerRunner(
                program, scenario, {**os.environ, **stated}, guard, (), siblings, ports or Ports()
            )
            runner.start()
            return runner

        yield start
        for each in siblings:
            each.close()


def port_of(runner: ServerRunner) -> int:
    port = urlsplit(runner._endpoint.server.url).port
    assert port is not None
    return port


def test_servers_stay_while_others_answer(start: Start) -> None:
    ports = Ports()
    first, second = start(ports=ports), start(ports=ports)
    sessions = [each.session for each in (first, second)]
    assert None not in sessions, "both have been started before either was waited for"
    for runner in (first, second, first):
        assert len(measured(runner)["latencies_us"]) == REQUESTS
    assert [each.session for each in (first, second)] == sessions
    assert port_of(first) != port_of(second)


def test_the_command_and_the_environment_have_the_port(start: Start, tmp_path: Path) -> None:
    runner = start('{"a": {}} {PORT}')
    runner.prepare()
    # The server noted its start in the file that its environment names, and answers at that port.
    assert (tmp_path / str(port_of(runner))).read_text() == '{"a": {}} {PORT}\n'


def test_a_server_that_loses_its_port_gets_another(
    start: Start, tmp_path: Path, taken: int
) -> None:
    runner = start(ports=First(taken))
    assert len(measured(runner)["latencies_us"]) == REQUESTS
    started = {each.name for each in tmp_path.iterdir()}
    assert started == {str(taken), str(port_of(runner))}
    assert port_of(runner) != taken


def test_a_server_that_always_loses_its_port_is_named(start: Start, taken: int) -> None:
    runner = start(ports=First(*[taken] * 10))
    with pytest.raises(ProgramFailedError) as caught:
        runner.prepare()
    text = str(caught.value)
    assert f"high ended with exit code 1 before it answered at http://127.0.0.1:{taken}/" in text
    assert "address already in use" in text
    assert len(runner._ports._first) == 10 - 3  # type: ignore[attr-defined]


def test_a_server_that_does_not_start_is_not_started_again(start: Start, tmp_path: Path) -> None:
    runner = start("broken")
    with pytest.raises(ProgramFailedError, match=r"exit code 1 before it .*: no weights"):
        runner.prepare()
    assert len(list(tmp_path.iterdir())) == 1, "a file for each port"


def test_servers_end_together(start: Start, tmp_path: Path) -> None:
    """Each has five seconds. One after the other, the last of many would end late."""
    runners = [start("pair") for _ in range(2)]
    processes = []
    for each in runners:
        each.prepare()
        assert each.session is not None
        processes.append(psutil.Process(each.session))
    ends = tmp_path / "ends"
    first, second = runners
    first.ask_to_end()
    assert eventually(lambda: ends.exists() and ends.read_text() == "asked\n")
    for each in (first, second):
        each.ask_to_end()
    for each in runners:
        each.close()
    assert all_gone(processes)
    assert sorted(ends.read_text().split()) == ["asked", "asked", "ended", "ended"], (
        "each was asked once"
    )


def test_no_port_is_given_twice() -> None:
    ports = Ports()
    given = {ports.choose(URL) for _ in range(50)}
    assert len(given) == 50


def test_a_port_is_free_on_every_address(taken: int) -> None:
    assert is_taken(f"http://127.0.0.1:{taken}/v1/completions")
    assert not is_taken(f"http://127.0.0.1:{Ports().choose(URL)}/v1/completions")
