"""Sweeps over loads, pairs and the frontier: what is measured, and what a page shows of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from giveway.bench.order import share_an_address, steps
from giveway.bench.segments import Point, Segments
from giveway.bench.sizes import Chosen
from giveway.errors import UsageError
from giveway.report import families, markdown, price
from giveway.report.load import Found, load, run
from giveway.report.page import page
from giveway.report.svg import frontier, sweep
from giveway.results import result
from giveway.scenarios.model import Arrivals, Program, Scenario, Server
from giveway.scenarios.sweep import at_loads, parse_loads
from tests.unit import report_examples, test_request_figures
from tests.unit.bench_records import SCENARIO, SETTINGS
from tools import frontier_picture

LOADS = (0.1, 0.5, 0.9)


def test_loads_are_shares_in_order() -> None:
    assert parse_loads("0.5, 0.1,.9") == LOADS
    assert [each.name for each in at_loads(SCENARIO, LOADS)] == ["dual@0.1", "dual@0.5", "dual@0.9"]
    assert {each.family for each in at_loads(SCENARIO, LOADS)} == {"dual"}


@pytest.mark.parametrize("text", ["", "0", "1", "50%", "0.5,,0.9", "nan", "-0.5", "0.1;0.5"])
def test_what_is_no_load(text: str) -> None:
    with pytest.raises(UsageError, match="is not a share above 0 and below 1"):
        parse_loads(text)
    with pytest.raises(UsageError, match="given twice"):
        parse_loads("0.5,0.50")


COMMAND = replace(SCENARIO.programs[0], model=None, command=("serve",))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (replace(SCENARIO, together=False), "its programs run one at a time"),
        (replace(SCENARIO, programs=SCENARIO.programs[1:]), "low is saturating, and has no rate"),
        (replace(SCENARIO, programs=(COMMAND,)), "high makes its own requests"),
    ],
)
def test_not_every_scenario_has_a_load(changed: Scenario, says: str) -> None:
    with pytest.raises(UsageError, match=f"--load does not apply to dual: .*{says}"):
        at_loads(changed, LOADS)


def test_the_rate_is_a_share_of_what_the_machine_can_do() -> None:
    """Whatever the rate and the busy share in the file are: only the size follows from them."""
    high, low = SCENARIO.programs
    chosen = Chosen({"batch": 1}, 3.0, 0.02)
    records: list[Any] = []
    for each in at_loads(SCENARIO, LOADS):
        segments = Segments(Point(each, records.append), SETTINGS, own=())
        segments.describe(high, chosen)
        segments.describe(low, Chosen({"batch": 8}, None, 0.5))
        assert segments.described["high"].load == each.load
        assert segments.described["low"].load is None
        assert segments.chosen["low"].rate is None
    assert [each["rate"] for each in records if each["program"] == "high"] == [5, 25, 45]


def served(name: str, url: str) -> Program:
    return Program(name, Arrivals("fixed", 1.0), command=("serve", "{port}"), server=Server(url))


def test_only_a_server_at_one_address_starts_anew() -> None:
    at_8000 = served("high", "http://127.0.0.1:8000/v1/completions")
    own = served("low", "http://127.0.0.1:{port}/v1/completions")
    assert not share_an_address(SCENARIO.programs)
    assert not share_an_address([*SCENARIO.programs, own])
    assert share_an_address([at_8000, *SCENARIO.programs])
    assert share_an_address([at_8000, own])


def test_modes_follow_each_other_unless_a_server_would_start_anew() -> None:
    loads: list[Any] = ["0.2", "0.6"]
    modes: list[tuple[str, Any]] = [("alone", "before"), ("native", None), ("alone", "after")]
    by_load = [("0.2", mode) for mode in modes] + [("0.6", mode) for mode in modes]
    assert steps(loads, modes, shared_address=False) == by_load
    by_mode = [(load, mode) for mode in modes for load in loads]
    assert steps(loads, modes, shared_address=True) == by_mode


@pytest.fixture
def swept(tmp_path: Path) -> Found:
    return load([report_examples.run(tmp_path / "run", report_examples.sweep(loads=LOADS))])


def test_a_curve_has_a_point_for_each_load(swept: Found) -> None:
    members = swept.runs[0].result["results"]
    latencies = sweep.curves(members, "high", "p99_ms")
    assert list(latencies) == ["alone", "native", "giveway", "mps"]
    assert all([load for load, _ in points] == list(LOADS) for points in latencies.values())
    shares = sweep.curves(members, "low", "share_of_alone")
    assert list(shares) == ["native", "giveway", "mps"]
    gets = [share for _, share in shares["giveway"]]
    assert gets == sorted(gets, reverse=True)
    chart = ET.fromstring(str(sweep.chart(members)))
    assert len(chart.findall(".//path")) == 4 + 3
    assert len(chart.findall(".//circle[@r='4.5']")) == 3 * (4 + 3)


def test_a_load_that_was_not_measured_has_no_point(tmp_path: Path) -> None:
    raw = report_examples.sweep(loads=LOADS)
    raw["dual@0.5"] = [each for each in raw["dual@0.5"] if each.get("mode") != "mps"]
    found = run(report_examples.run(tmp_path, {**raw, "dual@0.9": None})).result["results"]
    assert [load for load, _ in sweep.curves(found[:2], "high", "p99_ms")["mps"]] == [0.1]
    assert sweep.chart(found) is not None
    assert sweep.chart(found[2:]) is None


def test_the_table_of_a_sweep_has_a_row_for_each_load_and_mode(swept: Found) -> None:
    (family,) = families.of(swept.runs[0].result["results"])
    assert (family.name, family.loads, family.modes) == ("dual", True, ["native", "giveway", "mps"])
    titles = [each.title for each in families.columns(family)]
    assert titles == ["Load", "Mode", "Urgent p50", "Urgent p99", "Other"]
    rows = list(families.rows(family))
    modes = ["without giveway", "with giveway", "with MPS"]
    assert [row[:2] for row in rows] == [
        [load, mode] for load in ("10%", "50%", "90%") for mode in modes
    ]
    assert all(len(row) == len(titles) for row in rows)


def test_the_table_without_alone_has_all_modes(swept: Found) -> None:
    members = [
        {**each, "modes": {mode: each["modes"][mode] for mode in ("native", "mps")}}
        for each in swept.runs[0].result["results"]
    ]
    assert families.of(members)[0].modes == ["native", "mps"]


def test_the_table_of_pairs_ends_with_their_mean(tmp_path: Path) -> None:
    raw = report_examples.pairs()
    found = load([report_examples.run(tmp_path / "run", raw)])
    (family,) = families.of(found.runs[0].result["results"])
    rows = list(families.rows(family))
    assert [row[0] for row in rows] == ["resnet50+bert", "vgg19+gpt2", "geometric mean"]
    first, second, mean = (float(row[2].split("\u00a0")[0]) for row in rows)
    assert mean == pytest.approx((first * second) ** 0.5, abs=0.011)
    assert "| geometric mean |" in markdown.markdown(found)
    raw["pairs@vgg19+gpt2"] = None
    found = load([report_examples.run(tmp_path / "killed", raw)])
    (family,) = families.of(found.runs[0].result["results"])
    assert len(family.members) == 1


def test_the_page_opens_with_the_verdict_the_picture_and_the_table(swept: Found) -> None:
    tree = ET.fromstring(page(swept).partition("\n")[2])
    shown = [each.tag + str(each.get("class", "")) for each in tree.iter()]
    places = [
        shown.index(each)
        for each in ("h1", "detailscautions", "figurechart sweep", "table", "detailsvariant")
        if each != "detailscautions" or each in shown
    ]
    assert places == sorted(places)
    assert len(tree.findall(".//details[@class='variant']")) == len(LOADS)
    # The overview would say the same as the curves.
    assert "figurechart overview" not in shown


def test_warnings_are_one_line_that_unfolds(tmp_path: Path) -> None:
    raw = report_examples.noisy(1)
    changed = [
        each | {"load": {"others": 0.4, "steal": 0}} if each.get("round") == 1 else each
        for each in raw
    ]
    html = page(load([report_examples.run(tmp_path, {"dual": changed}, complete=False)]))
    tree = ET.fromstring(html.partition("\n")[2])
    (cautions,) = tree.findall("./body/header/details")
    assert cautions.get("open") is None
    summary, listed = cautions
    assert summary.text == "1 warning about these figures"
    assert "Round 2 does not count: other programs used 40%" in "".join(listed.itertext())


def measured(modes: dict[str, tuple[float, float]]) -> dict[str, Any]:
    raw = report_examples.with_modes(report_examples.noisy(1), modes)
    head = report_examples.header(SETTINGS, [SCENARIO])
    found: dict[str, Any] = result.summarise(head, {"dual": raw})["results"][0]
    return found


def test_the_frontier_is_a_line_by_tolerance() -> None:
    scenario = measured(report_examples.SHARED)
    found = frontier.places(scenario)
    assert [each.mode for each in found] == [
        "native", "giveway", "giveway 0%", "giveway 10%", "giveway 30%", "mps+giveway", "mps",
    ]  # fmt: skip
    line, with_mps = frontier.lines(found)
    assert [each.mode for each in line] == ["giveway 0%", "giveway 10%", "giveway 30%"]
    assert [each.mode for each in with_mps] == ["mps+giveway"]
    chart = ET.fromstring(str(frontier.chart(scenario)))
    assert len(chart.findall(".//path")) == 1
    labels = {"".join(each.itertext()) for each in chart.findall(".//div//text")}
    assert {"0%", "10%", "30%", "with MPS", "without giveway"} <= labels


def test_a_language_model_pays_in_time_per_token() -> None:
    (scenario,) = test_request_figures.result(native=3.0, giveway=1.25)["results"]
    assert [each.title for each in price.times(scenario)] == ["TTFT p99", "TPOT p99"]
    tolerant = {**scenario["modes"], "giveway 10%": scenario["modes"]["giveway"]}
    found = frontier.places({**scenario, "modes": tolerant})
    assert [each.slowdown["value"] for each in found] == [3.0, 1.25, 1.25]
    member = {**scenario, "name": "dual@0.5", "family": "dual", "load": 0.5}
    (family,) = families.of([member])
    titled = [each.title for each in families.columns(family)]
    assert titled == ["Load", "Mode", "Urgent TTFT p99", "Urgent TPOT p99", "Other"]
    native, giveway = families.rows(family)
    assert (native[3].split()[0], giveway[3].split()[0]) == ("3.00", "1.25")
    titles = {each.text for each in ET.fromstring(str(sweep.chart([member]))).iter("h4")}
    assert titles == {"TTFT p99 of high, ms", "TPOT p99 of high, ms", "Throughput of low, of alone"}


def test_the_picture_of_a_readme_stands_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    raw = report_examples.with_modes(report_examples.noisy(1))
    report_examples.run(folder, {"dual": raw, "plain": report_examples.noisy(2)})
    frontier_picture.main(str(folder), "dual", str(tmp_path / "frontier.svg"))
    tree = ET.parse(tmp_path / "frontier.svg").getroot()
    svg = "{http://www.w3.org/2000/svg}"
    assert len(tree.findall(f"{svg}circle")) == 7
    (line,) = tree.findall(f"{svg}polyline")
    assert len(line.get("points", "").split()) == 3
    assert {"0%", "10%", "30%", "with MPS"} <= {each.text for each in tree.findall(f"{svg}text")}
    for name, says in (("plain", "not measured in a mode giveway N%"), ("gone", "there are dual")):
        with pytest.raises(SystemExit, match=says):
            frontier_picture.main(str(folder), name, str(tmp_path / "other.svg"))


def test_strict_priority_stands_for_no_tolerance() -> None:
    scenario = measured({"giveway 30%": (7, 14)})
    (line,) = frontier.lines(frontier.places(scenario))
    assert [each.mode for each in line] == ["giveway", "giveway 30%"]


def test_no_frontier_without_a_tolerance() -> None:
    assert frontier.chart(measured({"mps": (20, 14)})) is None
    assert frontier.chart({"name": "later", "status": "not started"}) is None


def test_the_urgent_program_is_stated_once() -> None:
    reordered = replace(SCENARIO, programs=tuple(reversed(SCENARIO.programs)))
    assert SCENARIO.urgent == reordered.urgent
    equal = Program("b", Arrivals("saturating"), 10, "bert")
    assert replace(SCENARIO, programs=(*SCENARIO.programs, equal)).urgent.name == "high"
