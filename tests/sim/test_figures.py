"""Figures and a drawing from the counts of a run."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.results import stats
from giveway.sched.policies import registry
from giveway.sched.task import Attributes
from giveway.simulate.engine import run
from giveway.simulate.figures import make_result, percentile
from giveway.simulate.plot import draw
from giveway.simulate.record import Record
from giveway.simulate.scenario import MS, Model, Program, Scenario

HIGH = Program(
    "high & <mighty>",
    "fixed",
    launch_ns=MS,
    launches=4,
    period_ns=20 * MS,
    attributes=Attributes(priority=1, deadline_ns=10 * MS),
)
LOW = Program("low", "saturating", launch_ns=MS, launches=10)
MODEL = Model(gate_delay_ns=0, linger_ns=0, interrupt=True)
SCENARIO = Scenario("pair", (HIGH, LOW), 1000 * MS, warm_ns=200 * MS, model=MODEL)


@given(
    st.lists(st.integers(1, 10**12), min_size=1, max_size=300), st.sampled_from([50, 90, 99, 99.9])
)
def test_percentiles_are_those_of_the_other_commands(values: list[int], percent: float) -> None:
    assert percentile(sorted(values), percent) == stats.percentile(values, percent)


def test_figures_of_a_pair() -> None:
    alone = run(SCENARIO, None)
    result = make_result(SCENARIO, alone, {"priority": run(SCENARIO, registry.make("priority"))})
    high, low = result["policies"]["priority"]["tasks"].values()
    assert high["n"] == 40
    assert (high["p50_ms"], high["p99.9_ms"], high["max_ms"]) == (4, 4, 4)
    assert high["ratios"] == {"p50": 1, "p99": 1}
    assert high["missed"] == 0
    assert high["busy_share"] == pytest.approx(0.2, abs=0.01)
    assert result["alone"]["low"]["throughput"] == pytest.approx(100, abs=1)
    assert low["share_of_alone"] == pytest.approx(0.8, abs=0.01)
    assert low["share_of_left"] == pytest.approx(1, abs=0.01)
    assert result["policies"]["priority"]["device_busy_share"] == pytest.approx(1, abs=0.002)


def test_requests_that_were_never_done_count_with_their_age() -> None:
    hopeless = replace(HIGH, launches=30, phase_ns=0)  # 30 ms of work every 20 ms
    scenario = replace(SCENARIO, programs=(hopeless,))
    figures = make_result(scenario, run(scenario, None), {})["alone"][hopeless.name]
    assert figures["unfinished"] > 5
    assert figures["n"] == 41  # the last one is due at the end
    # The first counted one was the eleventh: ten before it took 300 ms.
    assert figures["max_ms"] >= 30 + 100
    assert figures["missed"] >= 39


def test_a_request_that_never_comes() -> None:
    scenario = replace(SCENARIO, programs=(replace(HIGH, phase_ns=2000 * MS), LOW))
    result = make_result(scenario, run(scenario, None), {"rr": run(scenario, registry.make("rr"))})
    figures = result["policies"]["rr"]["tasks"][HIGH.name]
    assert figures["n"] == 0
    assert "ratios" not in figures
    assert "p50_ms" not in figures


def test_a_drawing_has_a_bar_for_every_stretch() -> None:
    record = Record(200 * MS, 300 * MS)
    done = run(SCENARIO, registry.make("priority"), record)
    svg = ElementTree.fromstring(draw({"priority": (done.tasks, record)}))
    bars = [
        (element.get("fill"), float(element.get("width", "0")))
        for element in list(svg.iter("{http://www.w3.org/2000/svg}rect"))[1:]
    ]
    colours = list(dict.fromkeys(fill for fill, _ in bars))
    high, held, low = colours
    assert sum(width for fill, width in bars if fill == high) == pytest.approx(200, abs=2)
    assert sum(width for fill, width in bars if fill == low) == pytest.approx(800, abs=2)
    assert sum(width for fill, width in bars if fill == held) == pytest.approx(200, abs=2)
    texts = [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert "high & <mighty> · d0" in texts


def test_a_drawing_of_a_fleet_stays_small() -> None:
    programs = (replace(HIGH, count=200), replace(LOW, count=200))
    fleet = replace(SCENARIO, programs=programs, devices=100, duration_ns=400 * MS)
    record = Record(200 * MS, 400 * MS)
    done = run(fleet, registry.make("rr"), record)
    text = draw({"rr": (done.tasks, record)})
    assert len(text) < 250_000  # of all 400 tasks it would be 740,000
    assert "the first 40 of 400 tasks" in text
