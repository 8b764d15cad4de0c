"""Axes, curves and lanes: what is drawn is where the numbers are."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from giveway.report import words
from giveway.report.svg import cdf, markup, overview, plot, throughput, timeline
from giveway.report.svg.scale import Linear, Log, Nines, Scale
from giveway.results import result, stats
from giveway.results.names import mode_name
from giveway.results.rounds import Rounds
from tests.unit import bench_records, report_examples


@pytest.mark.parametrize(
    "scale",
    [
        Linear(0, 104, "%"), Linear(-3, 17.5), Linear(-0.002, 0.0031), Log(4.9, 15.6),
        Log(1, 1e6), Log(0.07, 3.2), Nines(20), Nines(600), Nines(100_000),
    ],
)  # fmt: skip
def test_ticks_are_on_the_axis_and_ascend(scale: Scale) -> None:
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 16
    assert all(-1e-9 <= tick.at <= 1 + 1e-9 for tick in ticks)
    assert all(first.at < second.at for first, second in pairwise(ticks))
    assert len({tick.label for tick in ticks}) == len(ticks)
    assert any(not tick.minor for tick in ticks)


def test_a_tick_stands_at_the_value_that_it_says() -> None:
    for scale in (Linear(-3, 17.5), Log(0.07, 3.2), Log(3, 2000)):
        for tick in scale.ticks():
            assert scale.at(float(tick.label)) == pytest.approx(tick.at)
    for tick in Nines(5000).ticks():
        assert Nines(5000).at(float(tick.label[:-1]) / 100) == pytest.approx(tick.at)


def test_a_log_axis_has_room_for_all_values_even_if_they_are_one() -> None:
    for values in ([5.0], [0.1, 4000.0], [1.0, 1.01]):
        scale = Log.around(values)
        assert all(0 < scale.at(value) < 1 for value in values)
        assert scale.high / scale.low >= 3


def test_zero_is_at_the_left_end_of_a_log_axis() -> None:
    """The lower edge of a wide interval of ratios is rounded to zero."""
    scale = Log.around([0.0, 0.5, 2.0])
    assert scale == Log.around([0.5, 2.0])
    assert scale.at(0.0) == 0.0
    line = ET.fromstring(f"<g>{plot.whisker(scale, [0.0, 5e4], 10)}</g>")[0]
    assert (line.get("x1"), line.get("x2")) == ("0%", "100%")
    assert Log.around([0.0, 0.0]).ticks()


def test_a_short_log_axis_has_ticks_to_read_it_by() -> None:
    for tenth in range(10, 101):
        ticks = Log.around([tenth / 10]).ticks()
        assert 2 <= sum(not tick.minor for tick in ticks) <= 6


def test_nines_are_as_far_apart() -> None:
    scale = Nines(10_000)
    places = [scale.at(share) for share in (0, 0.9, 0.99, 0.999, 0.9999)]
    assert places == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert scale.at(1.0) == 1.0


@pytest.mark.parametrize("count", [1, 2, 100, 239, 5000])
def test_the_curve_is_the_distribution(count: int) -> None:
    values = [float(value) for value in range(1, count + 1)]
    points = cdf.steps(values)
    assert points[0] == (1.0, 0.0)
    assert points[-1] == (float(count), (count - 1) / count)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(points))
    assert len(points) < 600
    for value, share in points[::2]:
        assert sum(each < value for each in values) == pytest.approx(share * count)
    for value, share in points[1::2]:
        assert sum(each <= value for each in values) == pytest.approx(share * count)


@pytest.mark.parametrize("percent", [50, 90, 99])
def test_the_curve_crosses_a_share_at_its_percentile(percent: int) -> None:
    values = [1.5 * value for value in range(1, 140)]
    points = cdf.steps(values)
    crossing = next(
        b[0] for a, b in pairwise(points) if a[1] < percent / 100 <= b[1] and a[0] == b[0]
    )
    assert crossing == stats.percentile(values, percent)


def test_of_a_long_run_the_whole_tail_is_kept() -> None:
    values = [float(value) for value in range(5000)]
    kept = {value for value, _ in cdf.steps(values)}
    assert set(values[-30:]) <= kept


def rounds() -> Rounds:
    (scenario,) = bench_records.result()["results"]
    return result.rounds(scenario["programs"], bench_records.records())


def test_latencies_are_of_all_rounds() -> None:
    found = cdf.latencies(rounds(), "high")
    assert list(found) == ["alone", "native", "giveway"]
    assert len(found["native"]) == 300
    assert found["native"] == sorted(found["native"])
    assert stats.percentile(found["native"], 50) == 50.0


def svg(figure: markup.Markup) -> ET.Element:
    picture = ET.fromstring(figure).find(".//svg[@role='img']")
    assert picture is not None
    return picture


def test_the_chart_has_a_curve_and_a_p99_for_each_mode() -> None:
    drawn = svg(cdf.chart("high", cdf.latencies(rounds(), "high")))
    paths = drawn.findall(".//path")
    assert [path.get("class") for path in paths] == [
        "line mode-alone", "line mode-native", "line mode-giveway",
    ]  # fmt: skip
    for path in paths:
        numbers = [float(each) for each in re.findall(r"[-\d.]+", path.get("d") or "")]
        assert len(numbers) > 10
        assert all(0 <= each <= plot.INNER for each in numbers)
    dots = drawn.findall(".//circle")
    places = [float((dot.get("cx") or "").rstrip("%")) for dot in dots]
    assert places[0] < places[2] < places[1]
    # Of 300 requests the third slowest: twice 11 ms.
    assert "with giveway: p99 22 ms" in (drawn.get("aria-label") or "")


def test_bars_are_as_long_as_the_shares() -> None:
    (scenario,) = bench_records.result()["results"]
    drawn = throughput.chart(scenario)
    assert drawn is not None
    bars = svg(drawn).findall(".//rect")
    # The rate of high is given, so that it has no bars.
    widths = [float((bar.get("width") or "").rstrip("%")) for bar in bars]
    assert widths == pytest.approx([100 * 0.4 / 1.04, 100 * 0.6 / 1.04], abs=0.01)
    assert "Shares of all programs together: " in drawn


def test_no_bars_without_alone() -> None:
    raw = [each for each in bench_records.records() if each.get("mode") != "alone"]
    (scenario,) = bench_records.result(raw)["results"]
    assert throughput.chart(scenario) is None
    assert overview.chart([scenario]) is None


def test_overview_has_a_row_for_each_scenario_with_requests() -> None:
    (scenario,) = bench_records.result()["results"]
    saturating = {**scenario, "programs": {
        name: {**each, "arrivals": "saturating"} for name, each in scenario["programs"].items()
    }}  # fmt: skip
    drawn = overview.chart([scenario, saturating])
    assert drawn is not None
    picture = svg(drawn)
    assert len(picture.findall(".//circle")) == 2
    assert picture.findall(".//tspan")[0].text == "dual"
    assert overview.chart([saturating]) is None


def test_the_typical_request_is_the_median_one_that_is_wholly_there() -> None:
    record = report_examples.timeline()
    assert timeline.typical(record, "high") == timeline.Request(0.5, 0.501, 0.51)
    # The batches reach over the start and the end.
    assert timeline.typical(record, "low") is None
    assert timeline.typical(record, "nobody") is None


def test_states_last_until_the_next_and_the_last_one_to_the_end() -> None:
    found = list(timeline.stretches(report_examples.timeline(), "low"))
    assert [(each.state, each.begin, each.end) for each in found] == [
        ("active", 0.2, 0.502), ("held", 0.502, 0.513), ("active", 0.513, 1.2),
    ]  # fmt: skip


def test_without_a_gate_page_requests_are_drawn() -> None:
    record = {**report_examples.timeline(), "states": {}, "sample_seconds": None}
    found = list(timeline.stretches(record, "high"))
    assert [each.state for each in found] == ["busy"] * 3
    assert (found[1].begin, found[1].end) == (0.501, 0.51)


def test_the_timeline_says_who_was_held() -> None:
    raw = [*bench_records.records()[:-1], report_examples.timeline(), {"kind": "end"}]
    (scenario,) = bench_records.result(raw)["results"]
    (chart,) = timeline.charts(plot.Names(), scenario, [report_examples.timeline()])
    said = svg(chart).get("aria-label") or ""
    assert "One request of high, with giveway: 10 ms" in said
    assert "high idle for 1 ms and active for 9 ms" in said
    assert "low active for 2 ms and held for 8 ms" in said
    held = [box for box in svg(chart).iter("rect") if "held" in (box.get("class") or "")]
    assert len(held) == 1
    # 11 ms of the 10 ms and 35 % more on each side.
    assert float((held[0].get("width") or "").rstrip("%")) == pytest.approx(100 * 11 / 17, abs=0.1)


def test_kernels_are_below_the_bars_of_every_mode() -> None:
    (scenario,) = bench_records.result()["results"]
    modes = ("native", "giveway", "mps+giveway", "giveway 10%", "mps")
    recorded = [report_examples.on_a_gpu(mode) for mode in modes]
    drawn = timeline.charts(plot.Names(), scenario, recorded)
    titles = [ET.fromstring(each).findtext("figcaption") for each in drawn]
    assert titles == [f"One request of high, {mode_name(mode)}: 10 ms" for mode in modes]
    boxes = {}
    for mode, each in zip(modes, drawn, strict=True):
        high, low = svg(each).findall("./svg/path")
        assert (high.findtext("title"), low.get("class")) == (
            "high: kernels on the device", "kernels lane-1",
        )  # fmt: skip
        boxes[mode] = [
            [float(number) for number in box] for box in re.findall(
                r"M(\d+) 0h(\d+)v1h-\2z", low.get("d") or ""
            )
        ]  # fmt: skip
    notes = [ET.fromstring(each).findtext("p") or "" for each in drawn]
    assert [bool(note) for note in notes] == [True, True, False, False, False]
    assert all("when kernels of the program were on the device" in note for note in notes[:2])
    # 17 ms, of which a kernel takes 0.8 each: with a gate closed for ten, at both ends alone.
    assert len(boxes["mps"]) in (17, 18)
    assert len(boxes["giveway"]) in (7, 8)
    assert all(left >= 0 and left + width <= plot.INNER for left, width in boxes["mps"])
    assert boxes["mps"][5][1] == pytest.approx(plot.INNER * 0.8 / 17, abs=1.5)


def test_without_kernels_the_page_speaks_of_none() -> None:
    """As in results of earlier versions, of which native had none, and the urgent program."""
    (scenario,) = bench_records.result()["results"]
    old = report_examples.on_a_gpu("giveway")
    del old["device"]["high"]
    native, gated = timeline.charts(
        plot.Names(), scenario, [report_examples.timeline("native"), old]
    )
    assert "kernels" not in native
    assert len(svg(gated).findall("./svg/path")) == 1


def test_without_a_timeline_the_page_says_why() -> None:
    (scenario,) = bench_records.result()["results"]
    assert timeline.charts(plot.Names(), scenario, []) == []
    assert timeline.why_not(scenario, []).startswith("Not recorded")
    only = [{**report_examples.timeline(), "spans": {"high": []}}]
    assert timeline.charts(plot.Names(), scenario, only) == []
    assert timeline.why_not(scenario, only).startswith("Not shown")


def test_markup_escapes_and_closes() -> None:
    made = markup.element(
        "p",
        'a < b & "c"',
        None,
        markup.element("line", x1=1.5),
        class_="x",
        data_label='"<',
        id=None,
    )
    assert made == ('<p class="x" data-label="&quot;&lt;">a &lt; b &amp; "c"<line x1="1.5"/></p>')


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.1234, "0.123 ms"), (5.05, "5.05 ms"), (632.2, "632 ms"), (1769.2, "1.77 s"), (None, "–")],
)
def test_milliseconds(value: float | None, said: str) -> None:
    assert words.milliseconds(value) == said


def test_bars_in_words() -> None:
    (scenario,) = bench_records.result()["results"]
    first, second = scenario["bars"]
    assert words.bar(first) == "p99 of high ≤ 1.3 × alone"
    assert words.bar(second) == "throughput of low ≥ 80% of alone"
    assert words.measured(second) == "60% (60–60)"
    order = first | {"order": ["a", "b"], "value": [1.0, 2.5], "interval": None, "figure": "p99_ms"}
    assert words.bar(order) == "p99: a ≤ b"
    assert words.measured(order) == "1, 2.5"
    assert words.measured(first | {"value": None, "reason": "the mode was not requested"}) == (
        "the mode was not requested"
    )
