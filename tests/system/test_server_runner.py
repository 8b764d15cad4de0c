"""Requests to an OpenAI-compatible server: they are sent when due, and the client's times count."""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from giveway.bench.guard import Guard
from giveway.bench.loops import Segment
from giveway.bench.ports import Ports
from giveway.bench.process import ProgramFailedError
from giveway.bench.requests import requests
from giveway.bench.runner import Assignment
from giveway.bench.server_runner import ServerRunner
from giveway.scenarios.model import Arrivals, Program, Scenario, Server, Tokens
from tests.system.processes import all_gone
from tests.waiting import eventually

SERVER = str(Path(__file__).with_name("completion_server.py"))
RATE = 50.0
REQUESTS = 15
"""That are due in the counted 0.3 s; when they are answered depends on the machine."""
Start = Callable[..., ServerRunner]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server with a behaviour; one port, and one list of siblings, for all of a test."""
    port, siblings = free_port(), list[ServerRunner]()
    with Guard() as guard:

        def start(
            behaviour: str = "well",
            path: str = "/v1/completions",
            prompt: Any = "text",
            environment: dict[str, str] | None = None,
            answer_timeout: float = 60,
            start_timeout: float = 60,
        ) -> ServerRunner:
            program = Program(
                "high",
                Arrivals("fixed", RATE),
                command=(sys.executable, SERVER, str(port), behaviour),
                tokens=Tokens((4, 8), (2, 6)),
                server=Server(f"http://127.0.0.1:{port}{path}", prompt),
            )
            scenario = Scenario(
                "mine", "mine", (program,),
                start_timeout=start_timeout, answer_timeout=answer_timeout,
            )  # fmt: skip
            variables = {**os.environ, **(environment or {})}
            return ServerRunner(program, scenario, variables, guard, (), siblings, Ports())

        yield start
        for each in siblings:
            each.close()


def measured(runner: ServerRunner, seconds: float = 0.3) -> dict[str, Any]:
    runner.prepare()
    segment = Segment(time.monotonic(), 0.1, seconds, 0.1)
    runner.begin(Assignment(segment, seed=1, spans=True))
    return runner.finish()


def test_a_server_that_stands_still_does_not_slow_the_arrivals(start: Start) -> None:
    """The server answers thirty requests when all of them wait, which they do only if they are sent
    without answers to those before them."""
    answer = measured(start("stall"), seconds=1.0)
    assert len(answer["latencies_us"]) == RATE
    # They were due every 20 ms, so that half of them waited for the last one for 0.3 s or longer,
    # of which five may be in the part that does not count.
    assert sum(wait >= 300_000 for wait in answer["ttft_us"]) >= 10
    together = [
        sum(began <= moment < ended for _, began, ended in answer["spans"])
        for _, moment, _ in answer["spans"]
    ]
    assert max(together) >= 30
    dues = [due for due, _, _ in answer["spans"]]
    assert dues == pytest.approx([(number + 0.5) / RATE for number in range(len(dues))], abs=1e-5)


def test_figures_of_answers(start: Start) -> None:
    runner = start()
    answer = measured(runner)
    expected = requests("fixed", RATE, 0.0, 0.5, 1, ((4, 8), (2, 6)))
    counted = [each.output_tokens for each in expected if 0.1 <= each.due < 0.4]
    assert answer["tokens"] == counted
    assert len(answer["ttft_us"]) == len(answer["tpot_us"]) == len(counted)
    for ttft, tpot, latency, tokens in zip(
        answer["ttft_us"], answer["tpot_us"], answer["latencies_us"], answer["tokens"], strict=True
    ):
        assert 2000 <= ttft <= latency
        assert ttft + (tokens - 1) * tpot <= latency + 1
        assert latency >= 2000 * tokens
    assert answer["busy_seconds"] is None
    counted_spans = [span for span in answer["spans"] if 0.1 <= span[0] < 0.4]
    within = [
        tokens for (*_, ended), tokens in zip(counted_spans, counted, strict=True) if ended < 0.4
    ]
    assert answer["done"] >= len(within)
    assert answer["tokens_done"] >= sum(within)


def test_the_role_of_a_chat_is_not_its_first_token(start: Start) -> None:
    answer = measured(start("chat", path="/v1/chat/completions"))
    assert min(answer["ttft_us"]) >= 20_000
    # This server does not count tokens, so that its pieces do.
    assert set(answer["tokens"]) == set(range(2, 7))


def test_an_answer_in_one_piece_has_no_time_per_token(start: Start) -> None:
    """Zero would be a time, and the best one."""
    answer = measured(start("once"))
    assert set(answer["tokens"]) == set(range(2, 7))
    assert set(answer["tpot_us"]) == {None}


@pytest.mark.parametrize("prompt", ["text", "tokens"])
def test_no_prompt_is_sent_twice(start: Start, tmp_path: Path, prompt: str) -> None:
    file = tmp_path / "prompts"
    runner = start(prompt=prompt, environment={"PROMPTS": str(file)})
    for _ in range(2):  # the same seed, as in two modes of a round
        measured(runner)
    bodies = [json.loads(line) for line in file.read_text().splitlines()]
    prompts = [body["prompt"] if prompt == "tokens" else body["prompt"].split() for body in bodies]
    assert {len(each) for each in prompts} == set(range(4, 9))
    assert len({str(each) for each in prompts}) == len(prompts)
    assert all(body["stream"] is True for body in bodies)


def test_a_server_is_warm_for_several_requests_together(start: Start, tmp_path: Path) -> None:
    """Whatever the mode: it starts anew more often in one mode than in another."""
    file = tmp_path / "prompts"
    start("eight", environment={"PROMPTS": str(file)}).prepare()
    bodies = [json.loads(line) for line in file.read_text().splitlines()]
    lengths = [(len(body["prompt"].split()), body["max_tokens"]) for body in bodies]
    assert lengths[:3] == [(6, 4)] * 3
    assert len(lengths) == 3 + 8
    assert (min(lengths), max(lengths)) == ((4, 2), (8, 6))


def test_a_server_that_loads_is_waited_for(start: Start) -> None:
    assert len(measured(start("loading"))["latencies_us"]) == REQUESTS


def test_requests_without_an_answer_are_a_failure(start: Start) -> None:
    """However many: more of them wait than a process may have files."""
    runner = start("silent", answer_timeout=1)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        runner.prepare()
        runner.rate = 400.0
        with pytest.raises(ProgramFailedError, match=r"did not answer \d+ of 200 requests in time"):
            measured(runner)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (64, limits[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    runner.close()  # restores nothing a second time
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits


def test_closing_ends_the_load_and_the_server(start: Start) -> None:
    runner = start("silent")
    runner.prepare()
    assert runner.session is not None
    process = psutil.Process(runner.session)
    threads = threading.active_count()
    now = time.monotonic()
    runner.begin(Assignment(Segment(now, 0.2, 1000.0), seed=1))
    assert threading.active_count() > threads
    runner.close()
    assert threading.active_count() == threads
    assert runner.session is None
    assert all_gone([process])


@pytest.mark.parametrize("behaviour", ["groups", "sessions"])
def test_a_worker_in_a_process_group_of_its_own_ends_with_its_server(
    start: Start, behaviour: str
) -> None:
    runner = start(behaviour)
    runner.prepare()
    assert runner.session is not None
    (worker,) = psutil.Process(runner.session).children()
    assert os.getpgid(worker.pid) != runner.session
    runner.close()
    assert all_gone([worker])


@pytest.mark.parametrize("behaviour", ["groups", "sessions"])
def test_the_guard_ends_such_a_worker_too(behaviour: str) -> None:
    with Guard() as guard:
        command = [sys.executable, SERVER, str(free_port()), behaviour]
        server = psutil.Popen(command, start_new_session=True)
        guard.add(server.pid)
        assert eventually(server.children)
        (worker,) = server.children()
    assert all_gone([server, worker])


def test_the_server_of_another_mode_ends_first(start: Start) -> None:
    first, second = start(), start()
    first.prepare()
    assert first.session is not None
    process = psutil.Process(first.session)
    first.prepare()
    assert first.session == process.pid
    second.prepare()
    assert all_gone([process])
    assert len(measured(second)["latencies_us"]) == REQUESTS


def test_a_server_that_ends_between_two_segments_is_not_started_again(start: Start) -> None:
    runner = start()
    runner.prepare()
    assert runner._process is not None
    runner._process.popen.kill()
    runner._process.popen.wait(60)
    with pytest.raises(ProgramFailedError, match="killed by signal 9 between two segments"):
        runner.prepare()


def test_a_stranger_at_the_address_is_not_measured(start: Start) -> None:
    runner = start()
    port = int(runner._program.command[-2])
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ProgramFailedError, match="another program answers at http://127"),
    ):
        runner.prepare()
