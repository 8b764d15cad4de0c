"""Requests that are served together: when each token comes, on a clock that the engine moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.bench import batching
from giveway.bench.answers import measurements, services_us
from giveway.bench.loops import Segment
from giveway.bench.requests import Request
from tests.unit.test_loops import START, Clock

PROMPT, STEP = 0.1, 0.01


class Engine:
    """Computes prompts and steps in a fixed time."""

    def __init__(self, clock: Clock, slots: int) -> None:
        self.clock, self.slots = clock, slots
        self.calls: list[tuple[str, int]] = []

    def prefill(self, slot: int, tokens: int) -> None:
        self.clock.sleep(PROMPT)
        self.calls.append(("prefill", slot))

    def step(self) -> None:
        self.clock.sleep(STEP)
        self.calls.append(("step", 0))


def request(due: float, output: int) -> Request:
    return Request(START + due, 8, output)


def test_a_request_alone() -> None:
    clock = Clock()
    segment = Segment(START, 0.5, 2.0)
    answers, busy = batching.serve(
        Engine(clock, 4), segment, [request(1.0, 11)], clock, clock.sleep
    )
    found = measurements(answers, segment)
    assert found["ttft_us"] == [100_000]
    assert found["tpot_us"] == [pytest.approx(10_000)]
    assert found["latencies_us"] == services_us(answers, segment) == [pytest.approx(200_000)]
    assert (found["tokens"], found["tokens_done"], found["done"]) == ([11], 11, 1)
    assert busy == pytest.approx(0.2)


def test_a_prompt_delays_the_tokens_of_others_once() -> None:
    clock = Clock()
    segment = Segment(START, 0.0, 2.0)
    engine = Engine(clock, 4)
    asked = [request(0.0, 20), request(0.1, 5), request(0.1, 5)]
    answers, _ = batching.serve(engine, segment, asked, clock, clock.sleep)
    # Both prompts became due during the first step. A step of all is between the two.
    kinds = [kind for kind, _ in engine.calls[:6]]
    assert kinds == ["prefill", "step", "prefill", "step", "prefill", "step"]
    assert answers[1].first_after() == pytest.approx(0.11)
    assert answers[2].first_after() == pytest.approx(0.22)
    assert answers[0].per_token() == pytest.approx((19 * STEP + 2 * PROMPT) / 19)


def test_a_request_without_a_slot_waits_and_its_wait_is_no_service() -> None:
    clock = Clock()
    segment = Segment(START, 0.0, 2.0)
    answers, _ = batching.serve(
        Engine(clock, 1), segment, [request(0.0, 11), request(0.0, 1)], clock, clock.sleep
    )
    assert services_us(answers, segment) == pytest.approx([200_000, 100_000])
    assert measurements(answers, segment)["ttft_us"] == pytest.approx([100_000, 300_000])


def test_the_tail_is_not_dragged_along() -> None:
    clock = Clock()
    segment = Segment(START, 0.0, 1.0, 0.5)
    asked = [request(0.05 * number, 20) for number in range(30)]
    answers, busy = batching.serve(Engine(clock, 1), segment, asked, clock, clock.sleep)
    counted = measurements(answers, segment)
    assert len(counted["latencies_us"]) == 20  # all that were due in the second
    assert len(answers) == 20  # the tail was over when the last of them was answered
    assert busy == pytest.approx(1.0)


@given(
    slots=st.integers(1, 4),
    asked=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 9)), min_size=1, max_size=20),
)
def test_every_request_has_its_tokens_and_no_slot_has_two(
    slots: int, asked: list[tuple[float, int]]
) -> None:
    clock = Clock()
    segment = Segment(START, 0.0, 3.1)
    requests = [request(due, output) for due, output in sorted(asked)]
    answers, _ = batching.serve(Engine(clock, slots), segment, requests, clock, clock.sleep)
    assert [each.due for each in answers] == [each.due for each in requests]
    assert [each.tokens for each in answers] == [each.output_tokens for each in requests]
    for answer in answers:
        assert answer.due <= answer.began < answer.moments[0]
        assert list(answer.moments) == sorted(answer.moments)
        assert answer.ended == answer.moments[-1]
        together = sum(each.began <= answer.began < each.ended for each in answers)
        assert together <= slots
