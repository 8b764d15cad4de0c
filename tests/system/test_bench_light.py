"""`giveway bench` of models that compute with the stand-in for torch."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from giveway.report.load import load
from giveway.report.page import page
from giveway.results import result
from giveway.results.store import records_of
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.bench_programs import BRIEFLY, SMALL, arguments, of
from tests.system.processes import started_under
from tests.waiting import eventually


def timelines_of(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The timelines in the results of a scenario, by mode."""
    records = records_of(folder, name)
    return {each["mode"]: each for each in records if each["kind"] == "timeline"}


@pytest.mark.usefixtures("light_torch")
def test_models_in_all_modes_of_a_cpu(
    spawn: Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHT_COMPUTES", "1")
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    options = arguments(tmp_path, str(path), modes="")
    del options[options.index("--modes") : options.index("--modes") + 2]
    process = spawn(GIVEWAY, *options, stderr=subprocess.PIPE)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 9, err
    small = of(result.read(tmp_path / "out"), "small")
    assert set(small["modes"]) == {"alone", "native", "giveway", "nice"}
    why = "the device cpu does not support it"
    assert small["modes_not_measured"] == dict.fromkeys(("mps+giveway", "streams", "mps"), why)
    for mode, programs in small["modes"].items():
        assert set(programs) == {"high", "low"}
        gated = mode == "giveway"
        if programs["low"]["not_measured"] is None:
            assert (programs["low"]["launches"] is not None) == gated
        assert (programs["low"]["preemption_latency_ms"] is not None) == gated
    # In half a second, one mode may have no batch where the machine stands still for a while.
    lows = [programs["low"] for programs in small["modes"].values()]
    assert any(each["throughput"] > 0 for low in lows for each in low["rounds"])
    gave_way = small["modes"]["giveway"]["low"]["preemption_latency_ms"]
    assert gave_way["closings"] > 0
    assert 0 <= gave_way["value"] <= gave_way["longest"]
    counts = {
        tuple(each["requests"] for each in programs["high"]["rounds"])
        for programs in small["modes"].values()
    }
    assert len(counts) == 1, "open loop: the same requests in every mode"
    (bar,) = small["bars"]
    assert bar["verdict"] == "NOT MEASURED"
    assert "needs 100" in bar["reason"] or "rounds do not count" in bar["reason"]
    timelines = timelines_of(tmp_path / "out", "small")
    assert list(timelines) == ["native", "giveway", "nice"]
    assert all(each["spans"]["low"] for each in timelines.values())
    assert [bool(each["states"]) for each in timelines.values()] == [False, True, False]
    states = {state for _, state in timelines["giveway"]["states"]["low"]}
    assert states <= {"active", "held", "idle"}
    assert "active" in states


@pytest.mark.usefixtures("light_torch")
def test_a_sweep_over_loads_starts_its_programs_once(
    spawn: Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHT_COMPUTES", "1")
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    options = arguments(tmp_path, str(path), modes="giveway 0%,giveway 10%")
    process = spawn(GIVEWAY, *options, "--load", "0.6,0.2", stderr=subprocess.PIPE)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 9, err  # the bar is of a mode that was not requested
    found = result.read(tmp_path / "out")
    assert [each["name"] for each in found["results"]] == ["small@0.2", "small@0.6"]
    assert [(each["family"], each["load"]) for each in found["results"]] == [
        ("small", 0.2), ("small", 0.6),
    ]  # fmt: skip
    slow, fast = (each["programs"]["high"] for each in found["results"])
    assert slow["size"] == fast["size"]
    assert fast["rate"] == pytest.approx(3 * slow["rate"], rel=0.01)
    assert slow["rate"] == pytest.approx(0.2 / (slow["service_ms"] / 1e3), rel=0.01)
    for each in found["results"]:
        assert set(each["modes"]) == {"giveway 0%", "giveway 10%"}
        segments = [one for one in records_of(tmp_path / "out", each["name"]) if "load" in one]
        gated = [one for one in segments if one["mode"] == "giveway 10%"][-1]["programs"]
        assert "launches" in gated["low"]
        # Each load has a timeline of every mode, a percentage as well.
        timelines = timelines_of(tmp_path / "out", each["name"])
        assert list(timelines) == ["giveway 0%", "giveway 10%"]
        assert all(one["states"]["low"] and one["spans"]["high"] for one in timelines.values())
        gave_way = each["modes"]["giveway 0%"]["low"]["preemption_latency_ms"]
        assert gave_way["closings"] > 0, gave_way
        for one in segments:
            assert not one["intruders"], "programs of other modes wait, and are no intruders"
    assert "chart sweep" in page(load([tmp_path / "out"]))


STALLS = """
title = "A model that stalls"
answer_timeout = {answer}

[[program]]
name = "high"
model = "resnet18"
{arrivals}
environment = {{ LIGHT_STALL = "{stall}" }}

[[program]]
name = "low"
model = "resnet18"
"""


@pytest.mark.usefixtures("light_torch")
def test_a_stall_of_the_program_is_charged_to_all_that_were_due(
    giveway: Runner, tmp_path: Path
) -> None:
    path = tmp_path / "small.toml"
    # Fifty to ninety runs choose a size and a rate. One of the 80 requests that count is slow.
    arrivals = 'arrivals = "fixed"\nrate = 40'
    path.write_text(STALLS.format(answer=60, arrivals=arrivals, stall="110 0.5"))
    options = arguments(tmp_path, str(path), modes=BRIEFLY)
    options[options.index("--seconds") + 1] = "2"
    done = giveway(*options)
    assert done.returncode == 0, done.stderr
    first, *_ = (each for each in records_of(tmp_path / "out", "small") if "programs" in each)
    latencies = first["programs"]["high"]["latencies_us"]
    assert max(latencies) >= 500_000
    # Twenty were due meanwhile. One at a time, asked for after the last answer, there would be one.
    assert sum(latency > 50_000 for latency in latencies) >= 18


@pytest.mark.usefixtures("light_torch")
def test_a_model_that_stops_answering_is_named(
    giveway: Runner, giveway_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "small.toml"
    # Eleven runs choose its size, and it owes no answer within two seconds before it stalls.
    path.write_text(STALLS.format(answer=2, arrivals="", stall="30 1000"))
    done = giveway(*arguments(tmp_path, str(path)))
    assert done.returncode == 6
    assert "FAILED       high did not answer within" in done.stdout
    assert eventually(lambda: started_under(giveway_dir) == [])
