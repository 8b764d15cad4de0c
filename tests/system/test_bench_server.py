"""`giveway bench` with OpenAI-compatible servers: good ones, and bad ones of all kinds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from giveway.results import result
from giveway.results.rounds import last_attempts
from giveway.results.store import records_of
from tests.conftest import GIVEWAY, Spawner
from tests.system.processes import interrupt, started_under
from tests.system.test_server_runner import SERVER, free_port
from tests.waiting import eventually

SCENARIO = """
title = "{behaviour}"
start_timeout = {start}
answer_timeout = {answer}

[[program]]
name = "high"
priority = 10
command = {command}
openai = "http://127.0.0.1:{port}"
# A round counts unless an answer takes many times this; no stall of a machine takes as long.
environment = {{ TOKEN_SECONDS = "{token}" }}
arrivals = "poisson"
rate = 60
prompt_tokens = [4, 8]
output_tokens = [2, 6]
slo = {{ ttft = "10s", tpot = "5s" }}

[[bar]]
program = "high"
figure = "slo_share"
at_least = 0.9
mode = "native"
"""
BAD = {
    "gone": "cannot be started: /no/such/server: No such file or directory",
    "deaf": "cannot be reached: ",
    "500": 'answered 500 Internal Server Error: {"error": {"message": "no kernel"}}',
    "json": 'streamed \'{"choices"',
    "nonsense": "streamed '{nothing', which is not a JSON object",
    "half": "closed the connection in the middle of an answer",
    "closes": "closed the connection without an answer",
    "dies": "ended with exit code 3",
    "silent": "did not answer ",
}
# Not of a server that never answers: it may be given up before it has written anything.
LAST_LINES = {
    "500": "out of memory",
    "dies": "segmentation fault",
}


def scenario(folder: Path, behaviour: str, answer: int = 60, port: str = "") -> str:
    port = port or str(free_port())
    command = [sys.executable, SERVER, port, behaviour]
    if behaviour == "gone":
        command[0] = "/no/such/server"
    path = folder / f"{behaviour}.toml"
    path.write_text(
        SCENARIO.format(
            behaviour=behaviour, port=port, command=json.dumps(command),
            start=1 if behaviour == "deaf" else 60, answer=answer,
            token=0.02 if behaviour == "well" else 0.002,
        )
    )  # fmt: skip
    return str(path)


def arguments(folder: Path, *scenarios: str) -> list[str]:
    return [
        "bench", *scenarios, "--modes", "alone,native", "--seconds", "0.4", "--repeats", "2",
        "--device", "cpu", "--out", str(folder / "out"), "--anyway",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run, of all servers that are bad and of a good one behind them."""
    folder = tmp_path_factory.mktemp("servers")
    names = [*BAD, "well"]
    scenarios = [scenario(folder, name, answer=1 if name == "silent" else 60) for name in names]
    done = subprocess.run(
        [GIVEWAY, *arguments(folder, *scenarios)],
        env={**os.environ, "GIVEWAY_DIR": str(folder / "pages")},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    return folder, done


def of(folder: Path, name: str) -> dict[str, Any]:
    found = result.read(folder / "out")
    return next(each for each in found["results"] if each["name"] == name)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_server_is_named(
    done: tuple[Path, subprocess.CompletedProcess[str]], name: str
) -> None:
    folder, _ = done
    failed = of(folder, name)
    assert failed["status"] == "failed"
    (failure,) = failed["failures"]
    assert failure["program"] == "high"
    assert BAD[name] in failure["what"]
    assert "\n" not in failure["what"]
    if name in LAST_LINES:
        assert LAST_LINES[name] in failure["last_lines"]
    assert failed["bars"][0]["verdict"] == "NOT MEASURED"


def test_the_rest_goes_on(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, process = done
    assert process.returncode == 6, process.stderr
    assert "Traceback" not in process.stderr
    well = of(folder, "well")
    assert well["status"] == "measured"
    high = well["modes"]["native"]["high"]
    assert 0 < high["ttft_p50_ms"] <= high["p50_ms"]
    assert high["tpot_p50_ratio"]["value"] > 0
    assert high["tokens_per_s"] > 0
    assert high["slo_share"]["value"] == 1
    assert [bar["verdict"] for bar in well["bars"]] == ["PASS"]
    records = records_of(folder / "out", "well")
    segments = last_attempts(each for each in records if each["kind"] == "segment")
    first, native, last = (each["programs"]["high"] for each in segments[:3])
    assert first["tokens"] + last["tokens"] == native["tokens"], "the same requests in every mode"
    assert "PASS         slo_share of high ≥ 0.9" in process.stdout
    assert eventually(lambda: started_under(folder / "pages") == [])


LESS_URGENT = """
[[program]]
name = "low"
command = {command}
openai = "http://127.0.0.1:{port}"
arrivals = "fixed"
rate = 20
prompt_tokens = 4
output_tokens = 2
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two loads of a server, beside a less urgent server."""
    folder = tmp_path_factory.mktemp("swept")
    path = scenario(folder, "queue")
    port = free_port()
    command = json.dumps([sys.executable, SERVER, str(port), "well"])
    with open(path, "a") as file:
        file.write(LESS_URGENT.format(port=port, command=command))
    options = arguments(folder, path)
    options[options.index("--modes") + 1] = "alone,native,nice"
    options[options.index("--seconds") + 1] = "0.2"
    options[options.index("--repeats") + 1] = "1"
    done = subprocess.run(
        [GIVEWAY, *options, "--load", "0.2,0.6"],
        env={**os.environ, "GIVEWAY_DIR": str(folder / "pages"), "STARTS": str(folder / "starts")},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    statuses = {of(folder, f"queue@{load}")["status"] for load in (0.2, 0.6)}
    assert statuses == {"measured"}, done.stderr
    return folder


def test_the_load_of_a_server_is_a_share_of_what_it_answers(swept: Path) -> None:
    """Its capacity is measured: the time of one request says nothing of several together."""
    few, many = (of(swept, f"queue@{load}") for load in (0.2, 0.6))
    rates = [each["programs"]["high"]["rate"] for each in (few, many)]
    assert rates[1] == pytest.approx(3 * rates[0], rel=0.01)
    # It answers one after another, each in 4 to 12 ms at least.
    assert 0 < rates[0] / 0.2 < 250
    sent = [each["modes"]["nice"]["high"]["requests"] for each in (few, many)]
    assert sent[0] <= sent[1]


def test_a_server_starts_once_for_all_loads_of_a_mode(swept: Path) -> None:
    """And once for all modes that start it in the same way, as all of them do with the urgent
    server; the other one has another niceness in one mode."""
    starts = (swept / "starts").read_text().split()
    assert starts.count("queue") == 1
    # Alone and native, nice, alone again with the timeline of native, the timeline of nice.
    assert starts.count("well") == 4


def test_what_other_programs_do_alone_is_measured_once_for_all_loads(swept: Path) -> None:
    few, many = (
        {
            name: [
                each["programs"][name]["latencies_us"]
                for each in records_of(swept / "out", f"queue@{load}")
                if each["kind"] == "segment"
                and each["mode"] == "alone"
                and name in each["programs"]
            ]
            for name in ("high", "low")
        }
        for load in (0.2, 0.6)
    )
    assert few["low"] == many["low"]
    assert few["high"] != many["high"]
    assert all(len(each) >= 2 for each in (few["low"], many["high"])), "before and after"


def test_ctrl_c_leaves_no_server(spawn: Spawner, tmp_path: Path) -> None:
    options = arguments(tmp_path, scenario(tmp_path, "silent", answer=1000))
    process = spawn(GIVEWAY, *options, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("silent: round 1"):
            break
    assert interrupt(process) == 2  # what guards the programs, and the server
