"""`giveway bench` with servers that have ports of their own, and so run at the same time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from giveway.results.store import records_of
from tests.conftest import GIVEWAY, Spawner
from tests.system.processes import interrupt, started_under
from tests.system.test_bench_server import LESS_URGENT, arguments, of, scenario
from tests.system.test_server_runner import SERVER
from tests.waiting import eventually

PORT = "{port}"


def two_servers(folder: Path, high: str, low: str) -> str:
    """The path of a scenario; the less urgent server starts in two ways in native and nice."""
    path = scenario(folder, high, port=PORT)
    command = json.dumps([sys.executable, SERVER, PORT, low])
    with open(path, "a") as file:
        file.write(LESS_URGENT.format(port=PORT, command=command))
    return path


def options(folder: Path, path: str, modes: str, *more: str) -> list[str]:
    found = arguments(folder, path)
    found[found.index("--modes") + 1] = modes
    return [*found, *more]


def bench(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GIVEWAY, *words],
        env={**os.environ, "GIVEWAY_DIR": str(folder / "pages"), **variables},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds at two loads, in two modes."""
    folder = tmp_path_factory.mktemp("ports")
    path = two_servers(folder, "queue", "pair")
    words = options(folder, path, "alone,native,nice", "--load", "0.2,0.6")
    done = bench(folder, *words, STARTS=str(folder / "starts"), ENDS=str(folder / "ends"))
    statuses = {of(folder, f"queue@{load}")["status"] for load in (0.2, 0.6)}
    assert statuses == {"measured"}, done.stderr
    return folder


def test_each_way_of_starting_a_server_starts_it_once(swept: Path) -> None:
    """However many rounds and loads there are; at a shared address `pair` starts once a round."""
    starts = (swept / "starts").read_text().split()
    assert sorted(starts) == ["pair", "pair", "queue"]


def test_all_servers_are_asked_to_end_before_any_is_waited_for(swept: Path) -> None:
    ends = (swept / "ends").read_text().split()
    assert sorted(ends) == ["asked", "asked", "ended", "ended"]
    assert eventually(lambda: started_under(swept / "pages") == [])


def test_a_round_goes_load_by_load(swept: Path) -> None:
    """So each load has its own measurement of the less urgent program alone."""
    few, many = (
        [
            each["programs"]["low"]["latencies_us"]
            for each in records_of(swept / "out", f"queue@{load}")
            if each["kind"] == "segment" and each["mode"] == "alone" and "low" in each["programs"]
        ]
        for load in (0.2, 0.6)
    )
    assert len(few) >= 2
    assert len(many) >= 2
    assert few != many


def test_a_result_names_the_address_without_the_port(swept: Path) -> None:
    (recorded,) = (
        each["scenario"]
        for each in records_of(swept / "out", "queue@0.2")
        if each["kind"] == "scenario"
    )
    urls = [each["server"]["url"] for each in recorded["programs"]]
    assert urls == ["http://127.0.0.1:{port}/v1/completions"] * 2


def test_a_server_that_does_not_start_is_named_and_the_others_end(tmp_path: Path) -> None:
    path = two_servers(tmp_path, "well", "broken")
    done = bench(tmp_path, *options(tmp_path, path, "native,nice"))
    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
    (failure,) = of(tmp_path, "well")["failures"]
    assert failure["program"] == "low"
    where = r"ended with exit code 1 before it answered at http://127\.0\.0\.1:\d+/v1/completions"
    assert re.fullmatch(where, failure["what"])
    assert failure["last_lines"] == ["no weights"]
    assert started_under(tmp_path / "pages") == []


def test_a_mode_whose_server_does_not_start_is_left_out(tmp_path: Path) -> None:
    """Its other server, which a measured mode has too, is there when that mode is measured."""
    path = two_servers(tmp_path, "well", "humble")
    done = bench(tmp_path, *options(tmp_path, path, "native,nice"))
    well = of(tmp_path, "well")
    assert well["status"] == "measured", done.stderr
    (left_out,) = (
        each
        for each in records_of(tmp_path / "out", "well")
        if each["kind"] == "mode" and each["mode"] == "nice"
    )
    assert left_out["reason"].startswith("low ended with exit code 1 before it answered at http://")
    assert left_out["reason"].endswith(": not as a nice program")


@pytest.mark.parametrize("key", ["openai", "command"])
def test_a_port_that_only_one_side_knows_is_refused(tmp_path: Path, key: str) -> None:
    path = Path(scenario(tmp_path, "well", port=PORT))
    text = path.read_text()
    old = {"openai": '"{port}"', "command": "127.0.0.1:{port}"}[key]
    path.write_text(text.replace(old, old.replace(PORT, "8000")))
    done = bench(tmp_path, *options(tmp_path, str(path), "native"))
    assert done.returncode == 2
    assert re.fullmatch(rf"giveway: {path}:\d+: {key}: {{port}} has to be in .*\n", done.stderr)


def test_ctrl_c_leaves_no_server(spawn: Spawner, tmp_path: Path) -> None:
    words = options(tmp_path, two_servers(tmp_path, "silent", "well"), "native,nice")
    process = spawn(GIVEWAY, *words, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("silent: round 1"):
            break
    assert interrupt(process) == 4  # what guards the programs, one urgent server, and two others


def test_ctrl_c_while_servers_start_leaves_none(spawn: Spawner, tmp_path: Path) -> None:
    path = two_servers(tmp_path, "deaf", "deaf")
    Path(path).write_text(Path(path).read_text().replace("start_timeout = 1", "start_timeout = 60"))
    starts = tmp_path / "starts"
    process = spawn(
        GIVEWAY, *options(tmp_path, path, "native,nice"), stderr=subprocess.PIPE,
        env={**os.environ, "STARTS": str(starts)},
    )  # fmt: skip
    assert eventually(lambda: starts.exists() and len(starts.read_text().split()) == 3)
    interrupt(process)
