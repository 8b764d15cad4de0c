"""The daemon's small parts, without a daemon."""

from __future__ import annotations

import pytest

from giveway.cli.events import line
from giveway.daemon.exporter import is_public, parse_address
from giveway.daemon.figures import Busy, Histogram, TaskFigures
from giveway.daemon.log import KEPT, Log
from giveway.errors import UsageError


def test_the_log_knows_the_last_events() -> None:
    log = Log(lambda: 5.5)
    for number in range(KEPT + 10):
        log.add("held", number=number)
    assert log.last == KEPT + 10
    assert [event["number"] for event in log.after(log.last - 2)] == [KEPT + 8, KEPT + 9]
    assert len(list(log.after(0))) == KEPT
    assert {event["time"] for event in log.after(0)} == {5.5}
    assert list(log.after(log.last)) == []
    assert list(log.after(log.last + 5)) == []


def test_gates_do_not_displace_rare_events() -> None:
    log = Log(lambda: 5.5)
    log.add("joined")
    for _ in range(2 * KEPT):
        log.add("opened")
    log.add("slack")
    log.add("held")
    events = list(log.after(0))
    assert [event["what"] for event in events[:2]] == ["joined", "opened"]
    assert [event["what"] for event in events[-3:]] == ["opened", "slack", "held"]
    numbers = [event["event"] for event in events]
    assert numbers == sorted(numbers)
    assert len(events) == KEPT + 2
    assert [event["event"] for event in log.after(log.last - 2)] == numbers[-2:]


def test_a_histogram_counts_a_value_below_the_first_bound_that_is_not_less() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 3.0):
        histogram.add(value)
    assert histogram.to_json() == {"bounds": [1.0, 2.0], "counts": [2, 1, 1], "sum": 6.0}


def test_a_task_waits_while_it_has_work_and_a_closed_gate() -> None:
    figures = TaskFigures()
    figures.update(True, True, 0)
    figures.update(True, False, 1_000_000)
    figures.update(True, True, 4_000_000)
    figures.update(False, True, 9_000_000)
    figures.update(False, False, 10_000_000)
    assert figures.waits.to_json()["sum"] == pytest.approx(0.003)
    assert figures.bursts.to_json()["sum"] == pytest.approx(0.009)
    assert sum(figures.waits.to_json()["counts"]) == 1


def test_a_device_is_busy_while_somebody_runs() -> None:
    busy = Busy()
    busy.update(True, 0)
    busy.update(True, 1_000_000_000)
    busy.update(False, 2_000_000_000)
    assert busy.seconds(9_000_000_000) == 2.0
    busy.update(True, 9_000_000_000)
    assert busy.seconds(10_000_000_000) == 3.0
    busy.update(False, 10_000_000_000)
    assert busy.seconds(20_000_000_000) == 3.0


@pytest.mark.parametrize(
    ("text", "expected", "public"),
    [
        ("127.0.0.1:9400", ("127.0.0.1", 9400), False),
        ("localhost:1", ("127.0.0.1", 1), False),
        ("[::1]:9400", ("::1", 9400), False),
        ("0.0.0.0:9400", ("0.0.0.0", 9400), True),
        ("10.0.0.1:80", ("10.0.0.1", 80), True),
        ("[::]:9400", ("::", 9400), True),
    ],
)
def test_an_address_and_who_can_connect_to_it(
    text: str, expected: tuple[str, int], public: bool
) -> None:
    assert parse_address(text) == expected
    assert is_public(expected[0]) is public


@pytest.mark.parametrize(
    "text", ["", "9400", ":9400", "0.0.0.0", "host:80", "127.0.0.1:x", "127.0.0.1:70000", "1.2:3"]
)
def test_an_address_has_to_be_explicit(text: str) -> None:
    with pytest.raises(UsageError, match=r"write 127\.0\.0\.1:9400"):
        parse_address(text)


def test_an_event_is_one_line_but_for_its_traceback() -> None:
    low = {"device": "cpu", "pid": 7, "name": "low"}
    held = {"time": 0.5, "what": "held", **low, "by": {**low, "name": "high"}, "why": "priority"}
    assert line(held).split(" ", 1)[1] == "held       low (7) on cpu for high (7) (priority)"
    failed = {"time": 0.5, "what": "failed", "policy": "mine", "traceback": "a\nb\n"}
    assert line(failed).endswith("policy mine\n    a\n    b")
