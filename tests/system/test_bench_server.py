"""`giveway bench` with OpenAI-compatible servers: good ones, and bad ones of all kinds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from giveway.results import result
from giveway.results.store import records_of
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.processes import all_gone, started_under
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
    "gone": "cannot be started: No such file or directory",
    "deaf": "cannot be reached: ",
    "500": 'answered 500 Internal Server Error: {"error": {"message": "no kernel"}}',
    "json": 'streamed \'{"choices"',
    "nonsense": "streamed '{nothing', which is not a JSON object",
    "half": "closed the connection in the middle of an answer",
    "closes": "closed the connection without an answer",
    "dies": "ended with exit code 3",
    "silent": "did not answer ",
}
LAST_LINES = {
    "deaf": "looking for weights",
    "500": "out of memory",
    "dies": "segmentation fault",
}


def scenario(folder: Path, behaviour: str, answer: int = 60) -> str:
    port = free_port()
    command = [sys.executable, SERVER, str(port), behaviour]
    if behaviour == "gone":
        command[0] = "/no/such/server"
    path = folder / f"{behaviour}.toml"
    path.write_text(
        SCENARIO.format(
            behaviour=behaviour, port=port, command=json.dumps(command),
            start=1 if behaviour == "deaf" else 60, answer=answer,
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
    segments = [each for each in records_of(folder / "out", "well") if each["kind"] == "segment"]
    first, native, last = (each["programs"]["high"] for each in segments[:3])
    assert first["tokens"] + last["tokens"] == native["tokens"], "the same requests in every mode"
    assert "PASS         slo_share of high ≥ 0.9" in process.stdout
    assert eventually(lambda: started_under(folder / "pages") == [])


def test_the_load_of_a_server_is_a_share_of_what_it_answers(
    giveway: Runner, tmp_path: Path
) -> None:
    """Its capacity is measured: the time of one request says nothing of several together."""
    options = arguments(tmp_path, scenario(tmp_path, "queue"))
    options[options.index("--modes") + 1] = "native"
    options[options.index("--repeats") + 1] = "1"
    done = giveway(*options, "--load", "0.2,0.6")
    assert done.returncode == 9, done.stderr  # one round shows nothing
    few, many = (of(tmp_path, f"queue@{load}") for load in (0.2, 0.6))
    rates = [each["programs"]["high"]["rate"] for each in (few, many)]
    assert rates[1] == pytest.approx(3 * rates[0], rel=0.01)
    # It answers one after another, each in 4 to 12 ms at least.
    assert 0 < rates[0] / 0.2 < 250
    sent = [each["modes"]["native"]["high"]["requests"] for each in (few, many)]
    assert sent[0] <= sent[1]


def test_ctrl_c_leaves_no_server(spawn: Spawner, tmp_path: Path) -> None:
    options = arguments(tmp_path, scenario(tmp_path, "silent", answer=1000))
    process = spawn(GIVEWAY, *options, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("silent: round 1"):
            break
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 2  # what guards the programs, and the server
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert all_gone(children)
