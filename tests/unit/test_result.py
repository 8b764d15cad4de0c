"""From raw records to figures and the verdicts of bars: nothing that was not measured."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from typing import Any

import pytest
from rich.console import Console

from giveway.bench.header import header
from giveway.cli import demo
from giveway.cli.parts import bench_table
from giveway.results import bars
from giveway.results.result import summarise
from giveway.scenarios.model import Bar
from tests.unit.bench_records import (
    SCENARIO,
    SETTINGS,
    high,
    low,
    records,
    result,
    scenario_of,
    segment,
)


def test_the_figures_are_those_of_the_rounds() -> None:
    figures = json.loads(json.dumps(result()))
    assert (figures["kind"], figures["schema"], figures["device"]) == ("giveway bench", 2, "cpu")
    assert figures["complete"] is True
    assert figures["machine"]["cores"] >= 1
    assert figures["versions"]["numpy"]
    (scenario,) = figures["results"]
    alone, native, giveway = (scenario["modes"][mode] for mode in ("alone", "native", "giveway"))
    assert (alone["high"]["requests"], alone["high"]["p50_ms"]) == (300, 10.0)
    assert (alone["high"]["p99_ms"], alone["high"]["max_ms"]) == (20.0, 20.0)
    assert alone["high"]["p99_ratio"] is None
    assert alone["low"]["throughput"] == 20.0
    assert native["high"]["p50_ms"] == 50.0
    assert native["high"]["p50_ratio"]["value"] == 5.0
    ratio = giveway["high"]["p50_ratio"]
    assert (ratio["value"], ratio["by_round"]) == (1.1, [1.0, 1.1, 1.2])
    assert ratio["interval"] == pytest.approx([0.874, 1.376], abs=0.001)
    steady = {"value": 0.4, "interval": [0.4, 0.4], "by_round": [0.4, 0.4, 0.4]}
    assert native["low"]["share_of_alone"] == steady
    assert giveway["low"]["share_of_alone"]["value"] == 0.6
    assert giveway["low"]["kept_of_native"]["value"] == 1.5
    assert giveway["low"]["worst_share_of_alone"]["value"] == 0.6
    assert [each["p50_ms"] for each in native["high"]["rounds"]] == [40.0, 50.0, 60.0]
    assert scenario["programs"]["low"]["size"]["batch"] == 8
    assert scenario["device_busy_share"] == {
        "alone high": 0.5, "alone low": 0.5, "native": 0.5, "giveway": 0.5,
    }  # fmt: skip


def test_a_segment_that_was_repeated_does_not_count_for_how_busy_the_device_was() -> None:
    raw = records()
    at = next(number for number, each in enumerate(raw) if each.get("mode") == "native")
    raw.insert(at, {**raw[at], "device_busy_share": 1.0})
    assert scenario_of(raw)["device_busy_share"]["native"] == 0.5


def test_what_giveway_counted_is_summed_and_elsewhere_it_is_nothing() -> None:
    modes = scenario_of()["modes"]
    assert modes["giveway"]["low"]["held_seconds"] == 1.5
    assert modes["giveway"]["low"]["preemptions"] == 6
    assert modes["native"]["low"]["preemptions"] is None
    assert modes["giveway"]["high"]["preemptions"] is None
    assert modes["giveway"]["low"]["preemption_latency_ms"]["value"] is None
    assert modes["giveway"]["low"]["preemption_latency_ms"]["reason"]
    assert modes["native"]["low"]["preemption_latency_ms"] is None


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    native = scenario_of(alone=(10, 20, 10), native=(20, 40, 90))["modes"]["native"]["high"]
    assert native["p50_ratio"]["by_round"] == [2.0, 2.0, 9.0]
    assert native["p50_ratio"]["value"] == 2.0


def test_bars_are_judged_by_the_interval() -> None:
    figures = result(giveway=(10.9, 11, 11.1))
    verdicts = [(bar["verdict"], bar["value"]) for bar in figures["results"][0]["bars"]]
    assert verdicts == [("PASS", 1.1), ("FAIL", 0.6)]
    assert figures["bars"] == {"passed": 1, "failed": 1, "not_shown": 0, "not_measured": 0}
    (first, _) = scenario_of(giveway=(14, 14, 14))["bars"]
    assert (first["verdict"], first["value"]) == ("FAIL", 1.4)
    # 1.1 × in the median, but the rounds are too far apart to exclude 1.3 ×.
    (first, _) = scenario_of(giveway=(10, 11, 12))["bars"]
    assert (first["verdict"], first["value"]) == ("NOT SHOWN", 1.1)
    assert first["interval"][0] < 1.3 < first["interval"][1]


def test_one_round_shows_nothing() -> None:
    first, second = scenario_of(alone=(10,), native=(50,), giveway=(11,))["bars"]
    for bar in (first, second):
        assert (bar["verdict"], bar["interval"]) == ("NOT SHOWN", None)
        assert bar["reason"] == "one round has no interval: increase --repeats"


def test_programs_with_a_given_rate_have_no_share() -> None:
    """Such a share would say what the rate is, whatever happened."""
    for mode in scenario_of()["modes"].values():
        assert mode["high"]["share_of_alone"] is None
        assert mode["high"]["kept_of_native"] is None


def test_the_sum_of_shares_is_that_of_device_time() -> None:
    sums = scenario_of()["share_sum"]
    # Of two cores, the requests take 2 s of processor time in 5 s.
    cores = result()["machine"]["cores"]
    urgent = 2.0 / (5 * cores)
    assert sums["native"]["value"] == pytest.approx(0.4 + urgent, abs=1e-3)
    assert sums["giveway"]["value"] == pytest.approx(0.6 + urgent, abs=1e-3)
    assert sums["giveway"]["by_round"] == pytest.approx([0.6 + urgent] * 3, abs=1e-3)
    assert "alone" not in sums


def test_the_sum_is_unknown_where_device_time_is() -> None:
    on_gpu = summarise(header(SETTINGS, [SCENARIO]) | {"device": "cuda"}, {"dual": records()})
    assert on_gpu["results"][0]["share_sum"] == {"native": None, "giveway": None}
    raw = [*records(), {"kind": "device", "program": "high", "device_ms": 5.0}]
    known = summarise(header(SETTINGS, [SCENARIO]) | {"device": "cuda"}, {"dual": raw})
    # 20 requests/s of 5 ms each.
    assert known["results"][0]["share_sum"]["giveway"]["value"] == pytest.approx(0.6 + 0.1)


@pytest.mark.parametrize(
    ("bar", "verdict", "says"),
    [
        (Bar("p99_ms", order=("high", "low")), "PASS", None),
        (Bar("p99_ms", order=("low", "high")), "FAIL", None),
        (Bar("p99_ratio", order=("high", "high")), "PASS", None),
        (Bar("p999_ms", "high", at_most=1), "NOT MEASURED", "p999_ms needs 1000"),
        (Bar("p50_ms", "high", at_most=1, mode="mps"), "NOT MEASURED", "no MPS here"),
        (Bar("p50_ms", "high", at_most=1, mode="nice"), "NOT MEASURED", "was not requested"),
        (Bar("share_of_alone", "high", at_least=1), "NOT MEASURED", "without a given rate"),
        (Bar("share_of_left", "low", at_least=1), "NOT MEASURED", "no longer a figure"),
        (Bar("p50_ms", "high", at_most=11.0), "NOT SHOWN", None),
        (Bar("p50_ms", "high", at_most=15.0), "PASS", None),
        (Bar("max_ms", "high", at_most=24.0), "PASS", None),
        (Bar("max_ms", "high", at_most=23.9), "FAIL", None),
    ],
)
def test_verdicts(bar: Bar, verdict: str, says: str | None) -> None:
    raw = records(scenario=dataclasses.replace(SCENARIO, bars=(bar,)))
    raw.append({"kind": "mode", "mode": "mps", "reason": "no MPS here"})
    (found,) = scenario_of(raw)["bars"]
    assert found["verdict"] == verdict
    assert (says is None) == (found["reason"] is None)
    assert says is None or says in found["reason"]


def test_an_order_is_judged_by_rounds_that_both_programs_have() -> None:
    """The first round of one program was compared with the second of the other."""

    def counted(**values: float) -> dict[str, Any]:
        rounds = [
            {"round": number, "p50_ms": values.get(name), "fault": None if name in values else "?"}
            for number, name in enumerate(("first", "second", "third"))
        ]
        return {"not_measured": None, "requests": 100, "p50_ms": 5.0, "rounds": rounds}

    bar = Bar("p50_ms", order=("high", "low"), mode="native")
    first = counted(first=1.0, second=10.0)
    for other, expected in (
        (counted(first=10.5, second=100.0), "PASS"),
        (counted(second=10.5, third=100.0), "NOT SHOWN"),
    ):
        found = bars.evaluate(bar, {"native": {"high": first, "low": other}}, {}, None)
        assert found["verdict"] == expected


def failure(program: str) -> dict[str, Any]:
    return {
        "kind": "failure", "program": program, "mode": "native", "round": 0, "what": "died",
        "last_lines": ["oh"],
    }  # fmt: skip


def test_a_failed_scenario_has_no_verdicts() -> None:
    figures = result([*records(), failure("low")])
    (scenario,) = figures["results"]
    assert scenario["status"] == "failed"
    assert scenario["failures"][0]["last_lines"] == ["oh"]
    assert [bar["verdict"] for bar in scenario["bars"]] == ["NOT MEASURED"] * 2
    assert [bar["reason"] for bar in scenario["bars"]] == ["low died"] * 2


def test_programs_that_run_one_at_a_time_fail_one_at_a_time() -> None:
    apart = dataclasses.replace(SCENARIO, together=False)
    steady = records(giveway=(11, 11, 11), scenario=apart)
    high_bar, low_bar = scenario_of([*steady, failure("low")])["bars"]
    assert high_bar["verdict"] == "PASS"
    assert low_bar["reason"] == "low died"


def test_a_run_that_was_killed_says_so() -> None:
    figures = result(records()[:7])
    assert figures["complete"] is False
    (scenario,) = figures["results"]
    assert scenario["status"] == "incomplete"
    assert set(scenario["modes"]) == {"alone", "native", "giveway"}
    assert {bar["reason"] for bar in scenario["bars"]} == {"the run was not finished"}
    (scenario,) = result(records()[:1])["results"]
    assert scenario["modes"] == {}


def test_a_run_that_was_killed_late_has_measured_what_it_has() -> None:
    whole = result(records())["results"][0]["bars"]
    (scenario,) = result([each for each in records() if each["kind"] != "end"])["results"]
    assert scenario["status"] == "incomplete"
    assert scenario["bars"] == whole
    apart = dataclasses.replace(SCENARIO, together=False)
    steady = records(giveway=(11, 11, 11), scenario=apart)
    half = [each for each in steady if each["kind"] != "end"]
    for each in half:
        each.get("programs", {}).pop("low", None)
    high, low = scenario_of(half)["bars"]
    assert high["verdict"] == "PASS"
    assert low["reason"] == "the run was not finished"


def test_no_request_in_time_is_not_a_latency_of_zero() -> None:
    raw = records()[:3]
    nothing = high(1) | {"latencies_us": [], "done": 0.0}
    raw += [
        segment("alone", 0, high=nothing),
        segment("alone", 0, low=low(1.0)),
        segment("giveway", 0, high=nothing, low=low(1.0)),
        {"kind": "end"},
    ]
    scenario = scenario_of(raw)
    assert scenario["modes"]["giveway"]["high"]["p50_ms"] is None
    assert scenario["modes"]["giveway"]["high"]["p99_ratio"] is None
    assert scenario["bars"][0]["verdict"] == "NOT MEASURED"
    assert list(bench_table.lines(result(raw)))


@pytest.mark.parametrize("width", [80, 60])
def test_the_table_of_demo_fits(width: int) -> None:
    screen = io.StringIO()
    figures = result(native=(400, 500, 6000))
    demo.show(figures, Console(file=screen, width=width, highlight=False))
    assert max(map(len, screen.getvalue().splitlines())) <= width
    text = " ".join(screen.getvalue().split())
    assert "…" not in text
    for cell in ("without giveway 500.0 ms", "10.0 ms", "(50 ×)", "(1.10 ×)", "12.0", "(60%)"):
        assert cell in text
    assert "giveway helped" in text
    assert "p99 of the urgent program was" in text


def test_the_table_of_bench() -> None:
    lines = list(bench_table.lines(result([*records(), failure("low")])))
    assert ["alone", "low", "50", "50", "50", "20"] in [line.split() for line in lines]
    assert any(re.search(r" 1\.10 \(\d\.\d\d–\d\.\d\d\) ", line) for line in lines)
    assert "  giveway preempted low 6 times and held it for 1.5 s." in lines
    busy = "50% high alone, 50% low alone, 50% without giveway, 50% with giveway"
    assert f"  Device busy: {busy}." in lines
    at = lines.index("FAILED       low died (without giveway, round 1)")
    assert lines[at + 1] == "    oh"
    assert "NOT MEASURED p99_ratio of high ≤ 1.3: low died" in lines
    assert lines[-1] == "0 passed, 0 failed, 0 not shown, 2 not measured."


def test_the_table_of_bench_says_how_soon_programs_gave_way() -> None:
    stops = {"high": [], "low": [[1.0, 1.01, 1.0002], [2.0, 2.01, 2.0031]]}
    timeline = {"kind": "timeline", "mode": "giveway", "closings": stops}
    lines = list(bench_table.lines(result([*records(), timeline])))
    said = "held it for 1.5 s; it gave way in 1.6 ms (p50), 3.1 ms at most."
    assert any(line.endswith(said) for line in lines), lines


def test_a_preemption_latency_is_of_the_timelines_of_its_mode() -> None:
    more = [segment("giveway 10%", 0, high=high(11), low=low(12))]
    timelines = [
        {"kind": "timeline", "mode": mode, "closings": {"low": [[1.0, 1.01, 1.0 + seconds]]}}
        for mode, seconds in (("giveway", 0.001), ("giveway 10%", 0.003))
    ]
    modes = result([*records(), *more, *timelines])["results"][0]["modes"]
    assert modes["giveway"]["low"]["preemption_latency_ms"]["value"] == 1.0
    assert modes["giveway 10%"]["low"]["preemption_latency_ms"]["value"] == 3.0
    assert modes["native"]["low"]["preemption_latency_ms"] is None
    # Earlier versions had no timeline of such a mode.
    modes = result([*records(), *more, timelines[0]])["results"][0]["modes"]
    found = modes["giveway 10%"]["low"]["preemption_latency_ms"]
    assert (found["value"], found["reason"]) == (None, "no timeline was recorded")


def test_the_table_of_bench_fits_a_narrow_terminal() -> None:
    lines = list(bench_table.lines(result(), width=60))
    header = next(at for at, line in enumerate(lines) if "MODE" in line)
    table = lines[header : header + 5]
    assert all(len(line) <= 60 for line in table)
    assert "P99 ms" in table[0]
    assert "P99 × ALONE" in table[0]
    assert "MAX ms" not in table[0]
