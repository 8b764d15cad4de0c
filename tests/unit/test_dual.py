"""The order of `demo`'s measurements and the sizes it chooses, without running anything."""

from __future__ import annotations

from typing import Any

import pytest

from giveway.bench import dual
from giveway.bench.dual import Pair, Sizes
from giveway.errors import ProgramError
from giveway.task import Task


class FakeProcess:
    """Answers as a program would whose every call takes ``seconds`` per batch and pixel."""

    def __init__(self, title: str, pid: int, seconds: float) -> None:
        self.title, self.pid, self.seconds = title, pid, seconds
        self.commands: list[tuple[Any, ...]] = []

    def tell(self, *words: Any) -> None:
        self.commands.append(words)

    def answer(self, timeout: float) -> dict[str, Any]:
        assert timeout > 0
        verb, *arguments = self.commands[-1]
        loads = [words for words in self.commands if words[0] == "load"]
        duration = self.seconds * loads[-1][2] * loads[-1][3] ** 2
        if verb == "time":
            return {"seconds": [duration] * arguments[0]}
        if verb == "serve":
            count = int(arguments[2] / arguments[3])
            return {"latencies": [duration] * count, "busy": duration * count}
        if verb == "repeat":
            return {"batches": arguments[2] / duration}
        return {}

    def last_words(self) -> str:
        return ""


def pair(high_seconds: float = 1e-6, low_seconds: float = 1e-6) -> Any:
    return Pair(FakeProcess("high", 1, high_seconds), FakeProcess("low", 2, low_seconds))  # type: ignore[arg-type]


def choose(segment: float, **speeds: float) -> Sizes:
    return dual._choose_sizes(pair(**speeds), segment, 3)


def test_a_fast_machine_gets_the_largest_sizes() -> None:
    sizes = choose(5.0, high_seconds=1e-7, low_seconds=1e-7)
    assert (sizes.image, sizes.low_batch) == (128, 8)
    # Busy for a fifth of the time.
    assert sizes.period_ms == pytest.approx(128**2 * 1e-7 * 5e3, abs=0.1)


def test_a_slow_machine_gets_smaller_ones() -> None:
    # 96 × 96: 0.0138 s a request, 72 of them in five seconds.
    sizes = choose(5.0, high_seconds=1.5e-6, low_seconds=6e-6)
    assert (sizes.image, sizes.low_batch) == (96, 4)
    sizes = choose(5.0, high_seconds=1e-4, low_seconds=1e-3)
    assert (sizes.image, sizes.low_batch) == (96, 1)


def test_alone_is_alone_and_together_starts_at_one_moment() -> None:
    programs = pair()
    sizes = Sizes(96, 1, 50.0, 3, 5.0, 0.5)
    for process in (programs.high, programs.low):
        process.tell("load", "x", 1, 96)
    alone = dual._alone(programs, sizes)
    together = dual._together(programs, sizes)
    (_, (_, begins, *_), (_, start, *_)) = programs.high.commands
    (_, (_, low_begins, *_), (_, low_start, *_)) = programs.low.commands
    assert start == low_start
    assert begins != low_begins
    assert alone.low_throughput == pytest.approx(1 / (96**2 * 1e-6))
    assert together.high.busy_share == pytest.approx(96**2 * 1e-6 / 0.05)


def task(pid: int, launches: int) -> Task:
    return Task(1, "cpu", pid, "x", 0, "idle", False, launches, 0, 0, 0.0, 0, 0.0)


@pytest.mark.parametrize(
    ("tasks", "missing"),
    [
        ([task(1, 5), task(2, 5)], None),
        ([task(1, 5)], "low"),
        ([task(1, 0), task(2, 5)], "high"),
        ([], "high"),
    ],
)
def test_ungated_programs_are_an_error_and_not_a_result(
    monkeypatch: pytest.MonkeyPatch, tasks: list[Task], missing: str | None
) -> None:
    class FakePage:
        @staticmethod
        def open(device: str) -> type[FakePage]:
            assert device == "cpu"
            return FakePage

        @staticmethod
        def tasks() -> list[Task]:
            return tasks

    monkeypatch.setattr(dual, "Page", FakePage)
    if missing is None:
        dual._check_gated("cpu", pair())
    else:
        with pytest.raises(ProgramError, match=f"^{missing} is not gated .* giveway doctor$"):
            dual._check_gated("cpu", pair())
