"""`{port}` in a scenario: what it stands for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from giveway.bench.ports import filled, filled_environment
from giveway.scenarios.model import Server
from giveway.scenarios.reader import load
from tests.unit.test_scenario_file import SERVED, check_refused, write

OPENAI = 'openai = "http://127.0.0.1:8000"'
OWN = 'openai = "http://127.0.0.1:{port}"'
COMMAND = '["vllm", "serve", "mine"]'
WITH_PORT = '["vllm", "serve", "mine", "--port={port}"]'
IN_ENVIRONMENT = 'environment = { PORT = "{port}" }'


def own(text: str) -> str:
    return text.replace(OPENAI, OWN).replace(COMMAND, WITH_PORT)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://127.0.0.1:{port}", "http://127.0.0.1:{port}/v1/completions"),
        ("http://[::1]:{port}/v1", "http://[::1]:{port}/v1/completions"),
        ("http://h:{port}/v1/chat/completions", "http://h:{port}/v1/chat/completions"),
    ],
)
def test_the_address_keeps_its_place_for_the_port(tmp_path: Path, url: str, endpoint: str) -> None:
    """Also in the record of the scenario: the ports differ from run to run."""
    text = own(SERVED).replace("http://127.0.0.1:{port}", url)
    scenario = load(write(tmp_path, text), "cpu")
    (high,) = scenario.programs
    assert high.server is not None
    assert (high.server.url, high.server.own_port) == (endpoint, True)
    (recorded,) = scenario.to_json()["programs"]
    assert recorded["server"]["url"] == endpoint
    assert recorded["command"][-1] == "--port={port}"


def test_the_environment_may_have_the_port(tmp_path: Path) -> None:
    text = SERVED.replace(OPENAI, f"{OWN}\n{IN_ENVIRONMENT}")
    (high,) = load(write(tmp_path, text), "cpu").programs
    assert high.environment == {"PORT": "{port}"}


def test_a_command_without_openai_may_have_the_word(tmp_path: Path) -> None:
    text = 'title = "mine"\n[[program]]\nname = "a"\ncommand = ["sh", "-c", "echo {port}"]\n'
    (program,) = load(write(tmp_path, text), "cpu").programs
    assert program.command[-1] == "echo {port}"


IN_BOTH = "{port} has to be in openai too, as in"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        (COMMAND, WITH_PORT, 5, f"command: {IN_BOTH}"),
        (OPENAI, f"{OPENAI}\n{IN_ENVIRONMENT}", 7, f"environment: {IN_BOTH}"),
        (OPENAI, OWN, 6, "openai: {port} has to be in command or environment too"),
        ("127.0.0.1:8000", "{port}:8000", 6, "openai: 'http://{port}:8000' is not allowed"),
        ("127.0.0.1:8000", "h/{port}/completions", 6, "is not allowed"),
        ("127.0.0.1:8000", "h:1{port}", 6, "is not allowed"),
        ("127.0.0.1:8000", "h:{PORT}", 6, 'such as "http://127.0.0.1:8000" or "http://127'),
    ],
)
def test_a_port_that_only_one_side_knows(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    check_refused(tmp_path, SERVED, (old, new), line, says)


def test_other_braces_stay() -> None:
    text = '{"a": {port}, "b": {}} {PORT} ${port} {{port}} {'
    assert filled(text, 4321) == '{"a": 4321, "b": {}} {PORT} $4321 {4321} {'


def test_only_stated_variables_have_the_port() -> None:
    inherited = {"PROMPT": "{port}", "HOME": "/root", "AT": "h:{port}"}
    stated = {"AT": "h:{port}", "OTHER": "{port}"}
    found = filled_environment(inherited, stated, 4321)
    assert found == {"PROMPT": "{port}", "HOME": "/root", "AT": "h:4321"}


def test_a_server_at_a_given_port_has_none_of_its_own() -> None:
    assert not Server("http://127.0.0.1:8000/v1/completions").own_port
