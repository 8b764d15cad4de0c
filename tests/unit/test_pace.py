"""The engine keeps to a pace, and chooses a rate anew that a program does not sustain alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from giveway.bench import engine
from giveway.bench.engine import _Group
from giveway.bench.pace import Pace
from giveway.bench.segments import Settings
from giveway.bench.sizes import Chosen
from giveway.results.rounds import Described, fault
from tests.unit.bench_records import SCENARIO, high, low, segment

ORDER = [("alone", "before"), ("native", None), ("giveway", None), ("alone", "after")]
SECONDS = 5.0


class Machine:
    """Segments that take five seconds each, on a machine whose requests take ``service_ms``."""

    load = None

    def __init__(self, service_ms: Callable[[int], float]) -> None:
        self._service_ms = service_ms
        self.now = 1000.0
        self.seen: list[tuple[str, int, int]] = []
        """The mode, the round and the attempt of each segment with the urgent program."""
        self.described = {"high": Described(True, 10.0), "low": Described(False, 50.0)}
        self.chosen = {"high": Chosen({}, 20.0, 0.01), "low": Chosen({}, None, 0.05)}
        self.last: dict[str, Any] = {}

    def record(self, found: Any) -> None: ...

    def monotonic(self) -> float:
        return self.now

    def describe(self, program: Any, chosen: Chosen) -> None:
        assert chosen.service_seconds is not None
        self.chosen[program.name] = chosen
        self.described[program.name] = Described(True, 1e3 * chosen.service_seconds)

    def measure(
        self, mode: str, number: int, part: Any, runners: Mapping[str, Any], attempt: int, _: Any
    ) -> str | None:
        self.now += SECONDS
        took = self._service_ms(len(self.seen))
        if "high" in runners:
            self.seen.append((mode, number, attempt))
        rate = self.chosen["high"].rate
        assert rate is not None
        requests = rate * 5
        urgent = high(took) | {"done": requests, "busy_seconds": min(5.0, requests * took / 1e3)}
        programs = {"high": urgent, "low": low(20.0)}
        self.last = segment(mode, number, **{name: programs[name] for name in runners})
        return fault(self.last, self.described)


def measured(
    monkeypatch: pytest.MonkeyPatch,
    machine: Machine,
    seconds: float = 1e6,
    pace: bool = True,
) -> list[tuple[str, int, int]]:
    monkeypatch.setattr(engine, "time", machine)
    group = object.__new__(_Group)
    runners = {"high": SimpleNamespace(), "low": SimpleNamespace()}
    limit = Pace(machine.now, machine.now + seconds, SECONDS) if pace else None
    settings = Settings("cpu", seconds=SECONDS, repeats=3, pace=limit)
    for name, value in {
        "settings": settings,
        "scenario": SCENARIO,
        "programs": SCENARIO.programs,
        "segments": machine,
        "of_point": [machine],
        "by_mode": False,
        "runners": dict.fromkeys(("alone", "native", "giveway"), runners),
        "hopeless": False,
        "is_anew": False,
        "at": ("", 0),
    }.items():
        setattr(group, f"_{name}", value)
    group._rounds(ORDER, lambda _stage, _share: None)  # type: ignore[arg-type]
    return machine.seen


def rounds_of(seen: list[tuple[str, int, int]]) -> list[int]:
    return [number for mode, number, _ in seen if mode == "native"]


def test_a_rate_that_is_sustained_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda _: 10.0)
    assert rounds_of(measured(monkeypatch, machine)) == [0, 1, 2]
    assert machine.chosen["high"].rate == 20.0


def test_on_a_machine_that_has_become_slow_the_rate_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 20 requests a second it would be at work all the time."""
    machine = Machine(lambda _: 45.0)
    seen = measured(monkeypatch, machine)
    assert seen[:3] == [("alone", 0, 0), ("alone", 0, 1), ("native", 0, 0)]
    assert rounds_of(seen) == [0, 1, 2]
    assert machine.chosen["high"].rate == pytest.approx(0.2 / 0.045, rel=1e-3)
    assert machine.described["high"].service_ms == pytest.approx(45.0)


def test_a_rate_that_changes_later_starts_the_rounds_again(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda at: 10.0 if at < 4 else 45.0)
    seen = measured(monkeypatch, machine)
    # The segments alone in the second round show it; the rounds are then all of the new rate.
    assert rounds_of(seen) == [0, 0, 1, 2]
    assert seen[4:7] == [("alone", 1, 0), ("alone", 1, 1), ("alone", 0, 0)]


def test_a_round_has_one_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate at which no segment alone follows is not chosen."""
    machine = Machine(lambda at: (50.0, 100.0, 200.0, 400.0, 9.0)[at % 5])
    rates: dict[int, dict[object, float | None]] = {}

    def measure(mode: str, number: int, part: Any, runners: Any, *rest: Any) -> str | None:
        if "high" in runners:
            rates.setdefault(number, {})[mode, part] = machine.chosen["high"].rate
        return Machine.measure(machine, mode, number, part, runners, *rest)

    monkeypatch.setattr(machine, "measure", measure)
    measured(monkeypatch, machine, seconds=600.0)
    assert [len(set(rates[number].values())) for number in sorted(rates)] == [1] * len(rates)
    assert rates[0]["native", None] != 20.0


def test_a_measurement_without_a_pace_keeps_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda _: 45.0)
    assert rounds_of(measured(monkeypatch, machine, pace=False)) == [0, 1, 2]
    assert machine.chosen["high"].rate == 20.0


@pytest.mark.parametrize(
    ("seconds", "rounds"), [(100.0, 3), (89.0, 2), (59.0, 1), (5.0, 1), (4.9, 0)]
)
def test_rounds_end_in_time(monkeypatch: pytest.MonkeyPatch, seconds: float, rounds: int) -> None:
    """A round has six segments of five seconds."""
    machine = Machine(lambda _: 10.0)
    assert len(rounds_of(measured(monkeypatch, machine, seconds))) == rounds


def test_no_segment_is_repeated_out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda _: 45.0)
    seen = measured(monkeypatch, machine, seconds=25.0)
    assert seen == [("alone", 0, 0), ("native", 0, 0), ("giveway", 0, 0), ("alone", 0, 0)]
    assert machine.now <= 1000.0 + 30.0
