"""The figures of requests to a language model, from made-up records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from giveway.bench.answers import Answer, measurements
from giveway.bench.loops import Segment
from giveway.bench.requests import requests
from giveway.cli.parts.bench_table import lines
from giveway.report import requests as table
from giveway.report.scenario import section
from giveway.report.svg import plot
from giveway.results import bars
from giveway.results.figures import figures, share_sum
from giveway.results.result import Result
from giveway.results.rounds import Described, Rounds
from giveway.results.verdict import warnings
from giveway.scenarios.model import Arrivals, Bar, Program, Scenario, Server, Tokens
from giveway.scenarios.traces import Arrival
from tests.unit import bench_records

SCENARIO = Scenario(
    name="dual",
    title="A server beside batches",
    programs=(
        Program(
            "high",
            Arrivals("poisson", 20.0),
            priority=10,
            command=("serve",),
            tokens=Tokens((64, 256), (32, 32)),
            server=Server("http://127.0.0.1:8000/v1/completions"),
            slo={"ttft": 30.0, "tpot": 3.0},
        ),
        Program("low", Arrivals("saturating"), model="resnet50"),
    ),
    bars=(
        Bar("ttft_p99_ratio", "high", at_most=1.15),
        Bar("tpot_p99_ratio", "high", at_most=1.05),
        Bar("slo_share", "high", at_least=0.9),
        Bar("ttft_p50_ratio", "low", at_most=2.0),
    ),
)


def served(ttft_ms: float, tpot_ms: float) -> dict[str, Any]:
    """A hundred requests of 32 tokens; one of them is of a single token."""
    ttft, tpot = 1e3 * ttft_ms, 1e3 * tpot_ms
    return {
        "latencies_us": [ttft + 31 * tpot] * 99 + [ttft],
        "ttft_us": [ttft] * 90 + [2 * ttft] * 10,
        "tpot_us": [tpot] * 99 + [None],
        "tokens": [32] * 99 + [1],
        "tokens_done": 3000.0,
        "busy_seconds": None,
        "done": 100.0,
        "cpu_seconds": 2.0,
    }


def served_records(native: float, giveway: float) -> bench_records.Records:
    """Records whose times are these multiples of those alone: 10 ms and 2 ms."""
    records = bench_records.records(scenario=SCENARIO)
    for each in records:
        if each["kind"] == "sizes" and each["program"] == "high":
            each |= {"size": {}, "service_ms": 70.0}
        if "high" in each.get("programs", {}):
            factor = {"native": native, "giveway": giveway}.get(each["mode"], 1.0)
            counted = each["programs"]["high"]
            counted.clear()
            counted |= served(10 * factor, 2 * factor)
    plain: bench_records.Records = json.loads(json.dumps(records))
    return plain


def result(native: float = 3.0, giveway: float = 1.0) -> Result:
    return bench_records.result(served_records(native, giveway))


def test_times_and_ratios_of_requests() -> None:
    (scenario,) = result()["results"]
    alone, native = (scenario["modes"][mode]["high"] for mode in ("alone", "native"))
    assert (alone["ttft_p50_ms"], alone["ttft_p99_ms"]) == (10, 20)
    assert (native["tpot_p50_ms"], native["tokens_per_s"]) == (6, 600)
    assert native["ttft_p99_ratio"] == {
        "value": 3.0, "interval": [3.0, 3.0], "by_round": [3.0, 3.0, 3.0],
    }  # fmt: skip
    assert native["tpot_p90_ratio"]["value"] == 3
    assert alone["ttft_p99_ratio"] is None
    assert native["rounds"][0]["tpot_p99_ms"] == 6
    # Nobody knows how long a server worked on a request, or when the batches had a first token.
    assert native["service_p90_ms"] is None
    assert scenario["modes"]["native"]["low"]["ttft_p50_ms"] is None


def test_the_share_inside_the_objective() -> None:
    (scenario,) = result(native=1.4)["results"]
    shares = {mode: programs["high"]["slo_share"] for mode, programs in scenario["modes"].items()}
    assert shares["alone"]["value"] == 1
    # At 1.4 times, all but one are in time: TPOT is 2.8 ms, and a tenth has a TTFT of 28 ms.
    assert shares["native"]["value"] == 1
    (slower,) = result(native=1.6)["results"]
    # TPOT is 3.2 ms. The request of one token has none, and a TTFT of 32 ms.
    assert slower["modes"]["native"]["high"]["slo_share"]["value"] == 0
    (between,) = result(native=1.5)["results"]
    assert between["modes"]["native"]["high"]["slo_share"]["by_round"] == [1, 1, 1]


def test_no_interval_of_a_share_goes_beyond_all_of_it() -> None:
    rounds = []
    for number, late in enumerate((0, 1, 30)):
        part = served(10, 2)
        part["ttft_us"][:late] = [1e6] * late
        rounds.append(bench_records.segment("alone", number, high=part))
    described = {"high": Described(open_loop=True, slo={"ttft": 30.0})}
    found = figures(Rounds(rounds, described), "alone", "high")
    assert found is not None
    low, high = found["slo_share"]["interval"]
    assert found["slo_share"]["by_round"] == [1.0, 0.99, 0.7]
    assert low < 0.7
    assert high == 1


def test_a_p99_per_token_needs_answers_that_have_one() -> None:
    """Of a hundred requests in each round, only ten have more than one token."""
    raw = served_records(1.0, 1.0)
    for each in raw:
        if "high" in each.get("programs", {}):
            each["programs"]["high"]["tpot_us"][10:] = [None] * 90
    (scenario,) = bench_records.result(raw)["results"]
    ttft, tpot, *_ = scenario["bars"]
    assert ttft["verdict"] == "PASS"
    assert tpot["verdict"] == "NOT MEASURED"
    assert tpot["reason"].startswith("high had 30 requests, and tpot_p99_ratio needs 100")


@pytest.mark.parametrize(("requests", "least"), [(6, 0.758), (100, 0.98)])
def test_few_requests_that_are_all_inside_do_not_show_that_all_are(
    requests: int, least: float
) -> None:
    """Two rounds of six requests inside the objective had an interval from 1 to 1."""
    part = {key: each[:requests] for key, each in served(10, 2).items() if isinstance(each, list)}
    rounds = [
        bench_records.segment("alone", number, high=bench_records.high(10) | part)
        for number in range(2)
    ]
    described = {"high": Described(open_loop=True, slo={"ttft": 30.0})}
    found = figures(Rounds(rounds, described), "alone", "high")
    assert found is not None
    assert found["slo_share"]["by_round"] == [1.0, 1.0]
    low, high = found["slo_share"]["interval"]
    assert low == pytest.approx(least, abs=0.002)
    assert high == 1
    bar = Bar("slo_share", "high", at_least=0.9, mode="alone")
    judged = bars.evaluate(bar, {"alone": {"high": found}}, {}, None)
    assert judged["verdict"] == ("PASS" if requests == 100 else "NOT SHOWN")


def test_bars_of_requests() -> None:
    (scenario,) = result()["results"]
    assert [bar["verdict"] for bar in scenario["bars"]] == ["PASS"] * 3 + ["NOT MEASURED"]
    assert scenario["bars"][-1]["reason"] == (
        "ttft_p50_ratio of low needs a program that answers with tokens"
    )
    (slow,) = result(giveway=1.1)["results"]
    assert [bar["verdict"] for bar in slow["bars"][:2]] == ["PASS", "FAIL"]


@pytest.mark.parametrize(
    ("figure", "needs"),
    [
        ("tpot_p50_ratio", "the mode alone"),
        ("service_p50_ratio", "a program that knows its work on a request"),
        ("slo_share", "an slo, and a program that measures the times that it limits"),
        ("p50_ratio", "the mode alone"),
    ],
)
def test_what_a_missing_figure_needs(figure: str, needs: str) -> None:
    nothing = {figure: None, "service_p50_ms": None}
    measured = {"requests": 100, "not_measured": None, "tpot_p50_ms": 5.0, "p50_ms": 9.0, **nothing}
    bar = Bar(figure, "high", at_most=9)
    judged = bars.evaluate(bar, {"giveway": {"high": measured}}, {}, None)
    assert judged["reason"] == f"{figure} of high needs {needs}"


def test_a_p99_of_few_requests_is_not_judged() -> None:
    few = {"requests": 99, "not_measured": None, "tpot_p99_ms": 5.0}
    judged = bars.evaluate(
        Bar("tpot_p99_ms", "high", at_most=9), {"giveway": {"high": few}}, {}, None
    )
    assert judged["verdict"] == bars.NOT_MEASURED
    assert "needs 100" in judged["reason"]


def test_tables_of_requests() -> None:
    found = result()
    shown = "\n".join(lines(found))
    assert "serve, 20 requests/s, Poisson, 64 to 256 tokens in and 32 out, priority 10" in shown
    header = next(line for line in shown.splitlines() if "TTFT P50" in line)
    row = shown.splitlines()[shown.splitlines().index(header) + 2]
    assert row.split() == [
        *("without", "giveway", "high", "30", "60", "3.00", "(3.00–3.00)"),
        *("6", "6", "3.00", "(3.00–3.00)", "–", "600", "0%"),
    ]
    (scenario,) = found["results"]
    columns, rows = table.table(scenario)
    assert [row[1] for row in rows] == ["high"] * 3
    # Of a server, only the server knows the work without the wait.
    assert not any("Service" in column.title for column in columns)
    assert table.objectives(scenario) == ("Objective of a request: high TTFT ≤ 30 ms, TPOT ≤ 3 ms.")
    page = str(section(plot.Names(), "dual", scenario, served_records(3.0, 1.0), ""))
    assert "Requests of dual" in page
    for title in ("Latencies", "Time to the first token", "Time per output token"):
        assert page.count(f"<figcaption>{title} of high") == 1
    assert "Objective of a request: high TTFT" in page
    # A result without tokens has no such table.
    assert "TTFT" not in "\n".join(lines(bench_records.result()))


def test_only_a_server_that_answers_fewer_requests_than_come_cannot_keep_up() -> None:
    """At 20 a second, an answer of 216 ms is one of four at a time."""
    (scenario,) = result()["results"]
    assert scenario["modes"]["native"]["high"]["p50_ms"] * 20 > 1e3
    assert not any("keep up" in each for each in warnings(scenario))
    for mode in ("alone", "native", "giveway"):
        scenario["modes"][mode]["high"]["throughput"] = 15.0
    assert [each for each in warnings(scenario) if "keep up" in each] == [
        "Without giveway, high could not keep up with its requests, so its latencies there grow "
        "with the length of the run."
    ]


@pytest.mark.parametrize(("batched", "total"), [(True, None), (False, 0.9)])
def test_device_time_of_a_request_by_itself_says_nothing_of_several(
    batched: bool, total: float | None
) -> None:
    """20 requests a second of 25 ms are half of the device; the other half is 0.4 of low."""
    high = served(10, 2) if batched else bench_records.high(10)
    records = [
        bench_records.segment("alone", 0, high=high),
        bench_records.segment("alone", 0, low=bench_records.low(20.0)),
        bench_records.segment("native", 0, high=high, low=bench_records.low(8.0)),
    ]
    described = {"high": Described(open_loop=True), "low": Described(open_loop=False)}
    found = share_sum(Rounds(records, described), "native", None, {"high": 25.0, "low": None})
    assert (found and found["value"]) == total


def test_a_server_that_is_busy_all_the_time_counts_while_its_queue_is_short() -> None:
    part = served(10, 2) | {"busy_seconds": 5.0}
    described = {"high": Described(open_loop=True, service_ms=70.0)}
    segment = bench_records.segment("alone", 0, high=part)
    assert Rounds([segment], described).lost() == []
    part["latencies_us"][-9:] = [1e6] * 9
    assert "had a queue at the end" in Rounds([segment], described).lost()[0][1]


def test_the_times_of_an_answer() -> None:
    answer = Answer(due=1.0, began=1.25, ended=3.0, tokens=5)
    answer.moments.extend([1.5, 2.0, 2.5])
    assert answer.first_after() == 0.5
    assert answer.per_token() == 0.25
    assert answer.tokens_between(1.5, 2.0) == pytest.approx(5 / 3)
    late = Answer(due=1.6, began=1.6, ended=9.0, tokens=1)
    late.moments.append(8.0)
    found = measurements([answer, late], Segment(0.5, 0.5, 1.0, 5.0))
    assert found["latencies_us"] == [2e6, 7.4e6]
    assert found["ttft_us"] == [0.5e6, 6.4e6]
    assert found["tpot_us"] == [0.25e6, None]
    assert found["tokens"] == [5, 1]
    assert (found["done"], found["tokens_done"]) == (0.0, 3.33)


def test_requests_of_a_trace_have_its_lengths() -> None:
    trace = [Arrival(0.0, 10, 1), Arrival(0.1, 900, 2), Arrival(0.3, None, None)]
    lengths = ((20, 400), (1, 9))
    whole = requests("trace", 10.0, 0.0, 1.0, 0, lengths, trace)
    assert [each.prompt_tokens for each in whole[:2]] == [20, 400]
    assert [each.output_tokens for each in whole[:2]] == [1, 2]
    assert 20 <= whole[2].prompt_tokens <= 400  # the trace does not say
    again = requests("trace", 10.0, 0.5, 0.5, 0, lengths, trace, skip=0.5)
    assert [each.output_tokens for each in again] == [each.output_tokens for each in whole][
        -len(again) :
    ]


def test_both_halves_of_alone_have_the_requests_of_one_segment() -> None:
    lengths = ((10, 20), (1, 9))
    whole = requests("poisson", 40, 100.0, 10.0, 7, lengths)
    first = requests("poisson", 40, 100.0, 5.0, 7, lengths)
    second = requests("poisson", 40, 200.0, 5.0, 7, lengths, skip=5.0)
    counts = [(each.number, each.prompt_tokens, each.output_tokens) for each in whole]
    halves = [(each.number, each.prompt_tokens, each.output_tokens) for each in first + second]
    assert counts == halves
    assert {each.prompt_tokens for each in whole} == set(range(10, 21))
    assert [each.due - 200 for each in second] == pytest.approx(
        [each.due - 105 for each in whole[len(first) :]]
    )
