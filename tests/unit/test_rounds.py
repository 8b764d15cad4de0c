"""Which rounds count: nothing is relative to an *alone* that was not alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from giveway.report import headline, words
from giveway.report.load import Found, Run
from giveway.report.markdown import markdown
from giveway.results.rounds import Described, Rounds, fault, last_attempts
from giveway.results.verdict import at_start, outcome, verdict, warnings
from tests.unit.bench_records import Records, high, low, records, result, segment

PROGRAMS = {"high": Described(open_loop=True, service_ms=10.0), "low": Described(False, 50.0)}
FREE = {"others": 0.02, "steal": 0.0, "pressure": 0.1}


def alone(**changed: Any) -> dict[str, Any]:
    return segment("alone", 0, high=high(10.0)) | changed


def test_a_program_that_is_alone_counts() -> None:
    assert fault(alone(), PROGRAMS) is None
    assert fault(alone(load=FREE, intruders=[]), PROGRAMS) is None
    assert fault(segment("alone", 0, low=low(20.0)), PROGRAMS) is None


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (high(10.0, busy=0.97), "high alone was at work 97% of the time"),
        (high(10.0, busy=0.32), "high alone took 1.6 times as long as when its rate was chosen"),
        (high(10.0, busy=0.12), "high alone took 0.6 times as long"),
        (
            high(10.0) | {"latencies_us": [*[1e4] * 60, *(1e4 * at for at in range(40))]},
            "high alone had a queue at the end: an answer took 39 times its work",
        ),
    ],
)
def test_an_alone_that_was_disturbed_does_not_count(part: dict[str, Any], says: str) -> None:
    found = fault(segment("alone", 0, high=part), PROGRAMS)
    assert found is not None
    assert found.startswith(says)
    # Without giveway, the same is what the measurement is about.
    assert fault(segment("native", 0, high=part), PROGRAMS) is None


def test_a_load_that_was_asked_for_may_be_high() -> None:
    """At a load of 90%, a busy share of 90% and a wait of 15 times the work are no disturbance."""
    part = {"latencies_us": [10_000.0] * 449 + [150_000.0], "busy_seconds": 4.5, "done": 450.0}
    alone = segment("alone", 0, high=part)
    usual = Described(open_loop=True, service_ms=10.0)
    assert "at work 90% of the time, 80% at most" in str(fault(alone, {"high": usual}))
    asked = Described(open_loop=True, service_ms=10.0, load=0.9)
    assert fault(alone, {"high": asked}) is None
    part["latencies_us"][-1] = 250_000.0
    assert "had a queue at the end" in str(fault(alone, {"high": asked}))
    part["latencies_us"][-1], part["busy_seconds"] = 10_000.0, 4.9
    assert "at work 98% of the time, 95% at most" in str(fault(alone, {"high": asked}))


def test_a_saturating_program_that_had_a_rival_does_not_count() -> None:
    found = fault(segment("alone", 0, low=low(8.0)), PROGRAMS)
    assert found == "low alone took 2.5 times as long as before the rounds"


@pytest.mark.parametrize("mode", ["alone", "native", "giveway"])
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"load": FREE | {"others": 0.5}}, "other programs used 50% of the processor time"),
        ({"load": FREE | {"steal": 0.2}}, "other machines took 20% of the processor time"),
        ({"intruders": ["the task 'x' (pid 1)"]}, "the task 'x' (pid 1) decided or used"),
    ],
)
def test_a_machine_that_others_use_does_not_count(
    mode: str, changed: dict[str, Any], says: str
) -> None:
    found = fault(alone(mode=mode, **changed), PROGRAMS)
    assert found is not None
    assert found.startswith(says)


def test_who_measures_anyway_has_been_told() -> None:
    assert fault(alone(anyway=True, load=FREE | {"others": 0.9}), PROGRAMS) is None
    overloaded = segment("alone", 0, high=high(10.0, busy=0.97)) | {"anyway": True}
    assert fault(overloaded, PROGRAMS) is not None


def test_the_last_attempt_counts() -> None:
    segments = [
        alone(part="before", attempt=0), alone(part="before", attempt=1),
        alone(part="after", attempt=0), segment("native", 0, high=high(20.0)),
    ]  # fmt: skip
    found = [(each["mode"], each.get("attempt")) for each in last_attempts(segments)]
    assert found == [("alone", 1), ("alone", 0), ("native", None)]


def test_alone_before_and_after_are_one_round() -> None:
    segments = [
        segment("alone", 0, high=high(10.0)) | {"part": "before", "seconds": 2.5},
        segment("native", 0, high=high(20.0)),
        segment("alone", 0, high=high(30.0, busy=0.1)) | {"part": "after", "seconds": 2.5},
    ]
    for each in segments:
        if each["mode"] == "alone":
            each["programs"]["high"]["busy_seconds"] /= 2
    (native,) = Rounds(segments, {"high": Described(open_loop=True)}).of("native", "high")
    assert native.alone is not None
    assert len(native.alone["latencies_us"]) == 200
    assert (native.alone["seconds"], native.alone["done"]) == (5.0, 200.0)
    assert native.alone["busy_seconds"] == pytest.approx(0.75)


def disturbed(*rounds: int) -> Records:
    """A run in which something else ran while the urgent program was alone in some rounds."""
    raw = records(native=(45, 45, 45), giveway=(11, 11, 11))
    for each in raw:
        if each["kind"] == "segment" and each["mode"] == "alone" and each["round"] in rounds:
            for program in each["programs"].values():
                program["latencies_us"] = [20 * value for value in program["latencies_us"]]
                program["busy_seconds"] = 5.0
    plain: Records = json.loads(json.dumps(raw))
    return plain


def test_a_machine_that_others_use_all_the_time_has_no_verdict_at_all() -> None:
    """It was said to pass, with p99 of 0.05 × alone."""
    figures = result(disturbed(0, 1, 2))
    (scenario,) = figures["results"]
    assert {bar["verdict"] for bar in scenario["bars"]} == {"NOT MEASURED"}
    assert "3 of 3 rounds do not count" in scenario["bars"][0]["reason"]
    assert figures["bars"] == {"passed": 0, "failed": 0, "not_shown": 0, "not_measured": 2}
    assert outcome(scenario) == "not measured"
    assert verdict(scenario).startswith("Not measured: alone, 3 of 3 rounds do not count: high")
    for mode in scenario["modes"].values():
        assert mode["high"]["p50_ms"] is None
        assert mode["high"]["p99_ratio"] is None
        assert mode["high"]["not_measured"]
        assert mode["low"]["throughput"] is None
    assert scenario["share_sum"] == {"native": None, "giveway": None}


def test_a_reason_is_said_once() -> None:
    (scenario,) = result(disturbed(0, 1, 2))["results"]
    said = list(words.not_measured(scenario))
    assert len(said) == 2  # high was overloaded, and low had a rival
    assert said[0].startswith(
        "Not measured: high alone, high without giveway, high with giveway (3"
    )


def test_the_page_says_it_too(tmp_path: Any) -> None:
    figures = result(disturbed(0, 1, 2))
    run = Run(tmp_path, figures)
    run.__dict__["records"] = {"dual": disturbed(0, 1, 2)}
    found = Found([run])
    assert headline.sentence(found).startswith("Whether giveway helps was not measured: alone, 3")
    assert "2 not measured" in [fact.text for fact in headline.facts(found)]
    text = markdown(found)
    assert "NOT MEASURED" in text
    assert "PASS" not in text
    assert "×" not in text.replace("× alone", "")


def test_one_disturbed_round_is_left_out_and_named() -> None:
    scenario = result(disturbed(1))["results"][0]
    ratio = scenario["modes"]["giveway"]["high"]["p99_ratio"]
    assert ratio["by_round"] == [1.1, 1.1]
    assert [each["fault"] is None for each in scenario["modes"]["alone"]["high"]["rounds"]] == [
        True, False, True,
    ]  # fmt: skip
    assert scenario["bars"][0]["verdict"] == "PASS"
    (warning,) = warnings(scenario)
    assert warning.startswith("Round 2 does not count: ")
    both = warnings(result(disturbed(0, 1))["results"][0])
    assert both[0].startswith("Rounds 1, 2 do not count, the first because ")


def test_the_majority_of_the_rounds_has_to_count() -> None:
    scenario = result(disturbed(0, 2))["results"][0]
    assert scenario["bars"][0]["verdict"] == "NOT MEASURED"
    assert "2 of 3 rounds" in scenario["bars"][0]["reason"]


def test_what_was_there_at_the_start_is_said() -> None:
    started = {
        "intruders": ["a daemon (giveway serve, pid 7)"],
        "load": {"others": 0.5, "steal": 0.0, "programs": [{"name": "cc", "pid": 4, "cores": 1}]},
    }
    assert at_start({"at_start": started}) == [
        "A daemon (giveway serve, pid 7) took part in the run",
        "Other programs used 50% of the processor time when the run started: cc (pid 4)",
    ]
    assert at_start({"at_start": {"load": {"others": 0.0, "steal": 0.0, "device": 0.97}}}) == [
        "Other programs kept the GPU busy 97% of the time when the run started"
    ]
    assert at_start({}) == []
