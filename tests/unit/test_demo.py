"""What the demo says about recorded segments, and how it keeps to its time."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from giveway.bench.pace import Pace, better_service_ms
from giveway.bench.surroundings import first_free
from giveway.cli import demo
from giveway.cli.parts import machine
from giveway.errors import NotMeasuredError
from giveway.results.rounds import Described
from tests.unit.bench_records import Records, high, records, result, segment


def said(raw: Records | None = None) -> str:
    text = io.StringIO()
    demo.show(result(raw), Console(width=80, highlight=False, file=text))
    return text.getvalue()


def changed(mode: str, *numbers: int, **values: Any) -> Records:
    """A run of which some segments are different."""
    raw = records(native=(45, 45, 45), giveway=(11, 11, 11))
    for each in raw:
        if each["kind"] == "segment" and each["mode"] == mode and each["round"] in numbers:
            each |= values.get("segment", {})
            each["programs"] |= {name: values[name] for name in each["programs"] if name in values}
    plain: Records = json.loads(json.dumps(raw))
    return plain


def test_a_gain_is_one_sentence() -> None:
    words = " ".join(said(changed("alone")).split())
    assert words.count("giveway helped: beside the other program, the p99") == 1
    assert "was 1.10 × its time alone with giveway, 4.50 × without; the other program had 60%" in (
        words
    )


@pytest.mark.parametrize(
    ("different", "why"),
    [
        ({"high": high(10.0, busy=0.97)}, "the urgent program alone was at work 97% of the time"),
        ({"segment": {"load": {"others": 0.5}}}, "other programs used 50% of the processor time"),
        (
            {"high": high(19509.0, busy=0.2)},
            "the urgent program alone had a queue at the end: an answer took",
        ),
    ],
)
def test_beside_an_overloaded_baseline_there_is_one_sentence_and_no_ratio(
    different: dict[str, Any], why: str
) -> None:
    words = " ".join(said(changed("alone", 0, 1, 2, **different)).split())
    assert words.startswith("Nothing can be said about this machine: alone, 3 of 3 rounds do not")
    assert why in words
    assert words.count(". ") == 0
    assert "×" not in words


def test_a_round_that_does_not_count_is_left_out() -> None:
    words = said(changed("alone", 1, high=high(10.0, busy=0.97)))
    assert "giveway helped" in words
    assert "Round 2 does not count" in words


def test_without_a_round_there_is_a_sentence_too() -> None:
    raw = [each for each in records() if each["kind"] != "segment"]
    assert " ".join(said(raw).split()) == (
        "Nothing can be said about this machine: no round could be finished in time."
    )


URGENT = Described(open_loop=True, service_ms=10.0)


def alone(part: dict[str, Any], **more: Any) -> dict[str, Any]:
    return segment("alone", 0, high=part) | more


@pytest.mark.parametrize(
    ("found", "better"),
    [
        (alone(high(10.0)), None),  # it keeps up
        (alone(high(10.0, busy=0.9)), 45.0),  # 100 requests took 4.5 s
        (alone(high(10.0, busy=0.32)), 16.0),  # the machine has become slower
        (alone(high(10.0, busy=0.12)), 6.0),  # it was slow while the rate was chosen
        (alone(high(10.0, busy=0.9), load={"others": 0.5}), None),
        (alone(high(10.0, busy=0.9), load={"others": 0.5}, anyway=True), 45.0),
        (alone(high(10.0, busy=0.9) | {"latencies_us": [], "done": 0.0}), None),
        (segment("native", 0, high=high(90.0, busy=0.99)), None),
    ],
)
def test_a_rate_that_a_program_does_not_sustain_alone_is_chosen_anew(
    found: dict[str, Any], better: float | None
) -> None:
    assert better_service_ms(found, "high", URGENT) == pytest.approx(better)
    assert better_service_ms(found, "high", Described(open_loop=False, service_ms=1.0)) is None


def test_a_round_begins_only_if_it_ends_in_time() -> None:
    pace = Pace(began=1000.0, until=1100.0, round_seconds=10.0)
    assert pace.may_begin(1090.0)
    assert not pace.may_begin(1090.1)
    pace.ended(20.0)
    pace.ended(15.0)
    assert pace.may_begin(1080.0)
    assert not pace.may_begin(1080.1)


def test_a_segment_is_repeated_only_if_its_round_ends_in_time() -> None:
    pace = Pace(began=1000.0, until=1100.0, round_seconds=10.0)
    assert pace.may_repeat(1080.0, seconds=4.0)
    assert not pace.may_repeat(1080.1, seconds=4.0)


def test_the_choice_of_sizes_leaves_time_to_measure() -> None:
    pace = Pace(began=1000.0, until=1100.0, round_seconds=10.0)
    assert pace.may_choose(1039.9)
    assert not pace.may_choose(1040.0)


def load(others: float) -> dict[str, Any]:
    return {"others": others, "steal": 0.0, "programs": []}


def test_a_load_may_pass() -> None:
    looks = iter([load(0.9), load(0.4), load(0.1), load(0.9)])
    assert first_free(looks)["others"] == 0.1
    assert first_free([load(0.9), load(0.5)])["others"] == 0.5


def test_a_machine_that_stays_busy_is_a_sentence_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def look() -> dict[str, Any]:
        looks.append(load(0.99))
        return {**load(0.99), "programs": [{"name": "cc1", "pid": 7, "cores": 0.97}]}

    monkeypatch.setattr("giveway.bench.load.look", look)
    with pytest.raises(NotMeasuredError) as error:
        machine.examine_free("cpu", anyway=False)
    assert str(error.value) == (
        "nothing can be said about this machine, because other programs use 99% of the processor "
        "time: cc1 (pid 7, 97% of a core): try again later, or measure nevertheless with --anyway"
    )
    assert len(looks) > 10
    assert machine.examine_free("cpu", anyway=True)["load"]["others"] == 0.99
