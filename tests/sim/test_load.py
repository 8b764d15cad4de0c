"""Scenarios from files and from measurements, and the messages about mistakes."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.errors import UsageError
from giveway.results import result
from giveway.scenarios import reader
from giveway.scenarios.document import shipped
from giveway.sched.policies import registry
from giveway.sched.task import Attributes
from giveway.simulate import measured
from giveway.simulate.engine import run
from giveway.simulate.figures import make_result
from giveway.simulate.load import load
from giveway.simulate.scenario import MS, SECOND, Model, Program

ROOT = Path(__file__).parents[2]

FULL = """\
title = "all of it"

[simulation]
duration = "5s"
warm = "500ms"
seed = 7
devices = 2
devices_per_node = 1
placement = "fractions"
spread = true
window = "1ms"
gate_delay = "0s"
linger = "3ms"
interrupt = true
max_wait = "2s"
quantum = "10ms"
timeslice = "1ms"

[[program]]
name = "a"
arrivals = "poisson"
rate = 20
launch = "50us"
launches = 60
jitter = 0.2
count = 3
gpus = 0.25
process = "p"
start = "1s"
stop = "4s"
priority = -3
weight = 2.5
share = 30
deadline = "20ms"
laxity = "0ms"
slice = "2ms"
nice = -5
group = "g"
focused = true

[[program]]
name = "b"
arrivals = "fixed"
period = "50ms"
phase = "0ms"
launch = "1.5ms"
device = 1

[[program]]
name = "c"
arrivals = "saturating"
gap = "1ms"
launch = "1ms"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "s.toml"
    path.write_text(text)
    return path


def test_every_key(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, FULL))
    assert (scenario.name, scenario.duration_ns, scenario.warm_ns) == ("s", 5 * SECOND, SECOND // 2)
    assert (scenario.seed, scenario.devices, scenario.devices_per_node) == (7, 2, 1)
    assert (scenario.placement, scenario.spread) == ("fractions", True)
    assert scenario.model == Model(MS, 0, 3 * MS, True, 2 * SECOND, 10 * MS, MS)
    a, b, c = scenario.programs
    assert a == Program(
        name="a",
        arrivals="poisson",
        launch_ns=50_000,
        launches=60,
        jitter=0.2,
        period_ns=50 * MS,
        count=3,
        gpus=0.25,
        process="p",
        start_ns=SECOND,
        stop_ns=4 * SECOND,
        attributes=Attributes(-3, 2.5, 30.0, 20 * MS, 0, 2 * MS, -5, "g", True),
    )
    assert b == Program("b", "fixed", 1_500_000, period_ns=50 * MS, phase_ns=0, device=1)
    assert c == Program("c", "saturating", MS, period_ns=MS)


@pytest.mark.parametrize(
    ("line", "instead", "at", "words"),
    [
        ("seed = 7", "seeed = 7", 6, "seeed: unknown: did you mean 'seed'?"),
        ('duration = "5s"', 'duration = "5"', 4, "duration: '5' has no unit"),
        ('duration = "5s"', "duration = [5]", 4, "duration: '[5]' is not a time"),
        ('warm = "500ms"', 'warm = "5s"', 5, "warm: must be shorter than the duration"),
        ("devices = 2", "devices = 0", 7, "devices: 0 is not allowed; allowed: 1 to"),
        ("devices = 2", "devices = true", 7, "devices: True is not allowed"),
        ('"fractions"', '"best"', 9, 'allowed: "next", "fractions", "urgent"'),
        ("gpus = 0.25", "gpus = 2", 27, "gpus: 2 is not allowed; allowed: above 0, up to 1"),
        ("gpus = 0.25", "gpus = 0.33333", 27, "with four decimal places at most"),
        ("interrupt = true", "interrupt = 1", 14, "interrupt: 1 is not allowed; allowed: true or"),
        ('quantum = "10ms"', 'quantm = "1ms"', 16, "quantm: unknown: did you mean 'quantum'"),
        ("launches = 60", "lanches = 60", 24, "lanches: unknown: did you mean 'launches'?"),
        ("launches = 60", "launches = 0.5", 24, "launches: 0.5 is not allowed"),
        ("jitter = 0.2", "jitter = 1", 25, "jitter: 1 is not allowed; allowed: 0 to less than 1"),
        ("share = 30", "share = 300", 33, "share: 300 is not allowed; allowed: a percentage"),
        ("focused = true", 'focused = "yes"', 39, "focused: 'yes' is not allowed; allowed: true"),
        ("rate = 20", 'period = "1ms"\nrate = 20', 23, "rate: the period is already given"),
        ("rate = 20", "", 19, 'arrivals "poisson" need rate or period'),
        ("rate = 20", 'rate = 20\ngap = "1ms"', 23, "gap: poisson arrivals have period or rate"),
        ('launch = "50us"', "", 19, "a simulation needs launch"),
        ("device = 1", "device = 2", 47, "device: there are 2, from 0"),
        ('name = "b"', 'name = "a"', 42, "name: 'a' is used twice"),
        ('"saturating"', '"always"', 51, 'allowed: "fixed", "poisson", "trace", "saturating"'),
        ('"saturating"', '"trace"', 51, "a simulation has no traces"),
        ('gap = "1ms"', "gap = ", 52, "not TOML: Invalid value"),
        ("count = 3", "count = 100000", 1, "more than 100000 tasks"),
    ],
)
def test_a_mistake_is_found_where_it_is(
    tmp_path: Path, line: str, instead: str, at: int, words: str
) -> None:
    assert line in FULL
    path = written(tmp_path, FULL.replace(line, instead, 1))
    with pytest.raises(UsageError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:{at}: "), text
    assert words in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "program is required: one [[program]] or more"),
        ("program = 5", "program: 5 is not allowed; allowed: one [[program]]"),
        ("program = [5]", "one [[program]] or more"),
        ("simulation = 5\n[[program]]", "simulation: 5 is not allowed; allowed: one [simulation]"),
        ("{", "1: Expecting"),
        ("{}", "neither giveway trace, nor bench"),
        ('{"processes": 5, "seconds": 1}', "is damaged"),
        ('{"processes": [], "seconds": 1}', "no launches"),
    ],
)
def test_what_is_no_scenario(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(written(tmp_path, text))
    assert words in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="directory"):
        load(tmp_path)
    (tmp_path / "s.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        load(tmp_path / "s.toml")


LINES = FULL.splitlines()


@given(st.lists(st.tuples(st.sampled_from(range(len(LINES))), st.text(max_size=12)), max_size=4))
def test_whatever_is_written_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, str]]
) -> None:
    lines = list(LINES)
    for at, text in changes:
        lines[at] = lines[at].partition("=")[0] + "=" + text
    path = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    with contextlib.suppress(UsageError):  # and nothing else
        load(path)


SIMULATED = sorted(name for name, path in shipped().items() if "\nlaunch = " in path.read_text())
"""Those that measure what giveway costs, serve requests together, or have a quota of CPU time, are
nothing to simulate."""


@pytest.mark.parametrize("name", SIMULATED)
def test_what_bench_measures_can_be_simulated(name: str) -> None:
    scenario = load(Path(name))
    assert scenario.name == name
    measured = reader.load(name, "cuda")
    assert [program.name for program in scenario.programs] == [
        program.name for program in measured.programs
    ]
    for simulated, real in zip(scenario.programs, measured.programs, strict=True):
        assert simulated.arrivals == real.arrivals.process
        assert simulated.attributes.priority == real.priority
        if real.arrivals.rate is not None:
            assert simulated.period_ns == pytest.approx(SECOND / real.arrivals.rate)


def test_the_scenario_of_the_documentation() -> None:
    path = ROOT / "docs" / "scenarios" / "cluster.toml"
    assert load(path).devices == 1000


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("[[task]]", 1, "task: a program is a [[program]] table"),
        (
            "[model]\nwindow = '1ms'",
            1,
            "model: the behaviour of devices belongs to the table [simul",
        ),
        ("duration = '5s'", 1, "duration: duration belongs to the table [simulation]"),
        ("[[program]]\nname = 'a'\narrivals = 'continuous'", 3, "is called 'saturating' now"),
        ("[[program]]\nname = 'a'\narrivals = 'periodic'", 3, "is called 'fixed' now"),
    ],
)
def test_an_old_word_is_told_the_new_one(tmp_path: Path, text: str, at: int, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{at}: ")
    assert words in str(caught.value)


def trace(**task: Any) -> dict[str, Any]:
    told = {"device": "GPU-1", "name": "a.py", "priority": 4, "launches": 1000, "held_ns": 10**9}
    process = {"pid": 1, "name": "a.py", "calls": {"syncs": 50}, "tasks": [told | task]}
    return {"schema": 1, "exit_code": 0, "seconds": 3.0, "processes": [process]}


def test_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(trace()))
    scenario = load(path)
    (program,) = scenario.programs
    assert program == Program(
        "a.py 1",
        "saturating",
        2 * MS,
        launches=20,
        device=0,
        process="1",
        attributes=Attributes(priority=4),
    )
    assert not scenario.model.interrupt
    told = trace()
    told["processes"] += [trace(device="GPU-2")["processes"][0] | {"pid": 2}]
    path.write_text(json.dumps(told))
    assert load(path).devices == 2
    assert [program.device for program in load(path).programs] == [0, 1]
    path.write_text(json.dumps(trace(device="cpu")))
    assert load(path).model.interrupt


BENCH = ROOT / "results" / "h200-2026-11-23"


@pytest.mark.skipif(not BENCH.exists(), reason="source distributions have no results")
def test_a_result_of_bench_comes_out_as_it_was_measured() -> None:
    """The model's figures for mode alone equal the measured ones."""
    told = result.read(BENCH / "bench")
    of_alone = told["results"][0]["modes"]["alone"]
    scenario = measured.scenario("bench", told)
    alone = run(scenario, None)
    simulated = make_result(scenario, alone, {"p": run(scenario, registry.make("priority"))})
    assert simulated["alone"]["high"]["busy_share"] == pytest.approx(
        of_alone["high"]["busy_share"], rel=0.05
    )
    assert simulated["alone"]["low"]["throughput"] == pytest.approx(
        of_alone["low"]["throughput"], rel=0.03
    )
    assert simulated["policies"]["p"]["tasks"]["low"]["share_of_left"] > 0.9
