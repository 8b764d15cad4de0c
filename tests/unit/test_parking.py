"""How long `giveway park` and `unpark` wait, on virtual time, and what they say about refusals."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from giveway.cli.parts import parking
from giveway.errors import NoSuchTaskError, ParkError
from giveway.page.parking import Parking, Refusal, Stage
from tests.unit.test_preemption import LOW

GIB = 1 << 30
REST = Parking(True, Stage.NOT_PARKED, Refusal.NONE, 0, 0, 0)


class Page:
    """A page on which a task comes to each stage at a time."""

    def __init__(self, now: list[float], stages: list[tuple[float, Parking]]) -> None:
        self.now = now
        self.stages = stages

    def parking(self, ticket: int) -> Parking:
        return [each for at, each in self.stages if at <= self.now[0]][-1]


def at(*stages: tuple[float, Stage]) -> list[tuple[float, Parking]]:
    return [(moment, REST._replace(stage=stage)) for moment, stage in stages]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += 50 * seconds

    virtual = SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep)
    monkeypatch.setattr(parking, "time", virtual)
    monkeypatch.setattr(parking, "_resident", lambda pid: 0)
    return clock


def process(now: list[float], *pages: list[tuple[float, Parking]]) -> Any:
    rows: Any = [
        (Page(now, stages), replace(LOW, memory=(number + 1) * GIB))
        for number, stages in enumerate(pages)
    ]
    return parking._Process(4242, rows)


def test_a_move_may_take_as_long_as_it_takes(now: list[float]) -> None:
    stages = at((0, Stage.NOT_PARKED), (1, Stage.DRAINS), (9, Stage.SAVES), (600, Stage.PARKED))
    assert parking._wait(process(now, stages), Stage.PARKED)[0].stage is Stage.PARKED
    assert now[0] >= 600
    now[0] = 0.0
    stages = at((0, Stage.RESTORES), (600, Stage.NOT_PARKED))
    assert parking._wait(process(now, stages), Stage.NOT_PARKED)[0].stage is Stage.NOT_PARKED
    assert now[0] >= 600


def test_a_program_that_does_not_begin_does_not_answer(now: list[float]) -> None:
    for stage, wanted in ((Stage.NOT_PARKED, Stage.PARKED), (Stage.PARKED, Stage.NOT_PARKED)):
        with pytest.raises(ParkError, match="does not answer: it goes on as before"):
            parking._wait(process(now, at((0, stage))), wanted)


def test_all_gpus_are_waited_for(now: list[float]) -> None:
    first = at((0, Stage.SAVES), (5, Stage.PARKED))
    second = at((0, Stage.SAVES), (8, Stage.PARKED))
    parking._wait(process(now, first, second), Stage.PARKED)
    assert now[0] >= 8


def test_of_several_gpus_the_one_that_is_too_small_is_named(now: list[float]) -> None:
    large = REST._replace(stage=Stage.PARKED, room=5 * GIB, memory=GIB)
    small = large._replace(room=GIB, refusal=Refusal.NO_ROOM, memory=2 * GIB)
    both = process(now, [(0, large)], [(0, small)])
    assert both.why(both.read()) == "it has 2.0 GiB, and the GPU has room for 1.0 GiB"
    host = REST._replace(refusal=Refusal.NO_HOST_MEMORY, room=GIB, memory=8 * GIB)
    both = process(now, [(0, host)], [(0, host)])
    assert both.why(both.read()).startswith(
        "it has 16.0 GiB on the GPU, which take 17.0 GiB of host memory, and the machine, or its"
        " cgroup, has 1.0 GiB left; "
    )


def test_the_end_of_a_program_is_noticed(now: list[float]) -> None:
    class Emptied(Page):
        def parking(self, ticket: int) -> Parking:
            if self.now[0] > 1:
                raise NoSuchTaskError(f"task {ticket} on GPU-0 has ended")
            return super().parking(ticket)

    rows: Any = [(Emptied(now, at((0, Stage.SAVES))), LOW)]
    one = parking._Process(4242, rows)
    with pytest.raises(NoSuchTaskError) as error:
        parking._wait(one, Stage.PARKED)
    assert str(error.value) == f"{LOW.name} (4242) has ended"


def test_the_reserve_of_host_memory_is_that_of_the_c_part() -> None:
    source = (Path(__file__).parents[2] / "native/gate/park.c").read_text(encoding="utf-8")
    found = re.search(r"#define RESERVE\(bytes\) \(\(bytes\) / (\d+)\)", source)
    assert found is not None
    assert int(found[1]) == parking.RESERVE
