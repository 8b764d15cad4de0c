"""Signals wait until a step is whole, such as the start of a program."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from giveway.bench import event_loop
from giveway.bench.signals import delayed_signals

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    done = []

    def start() -> None:
        with delayed_signals():
            signal.raise_signal(signal.SIGINT)
            done.append("block")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert done == ["block"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", ENDING)
def test_a_delayed_signal_meets_the_handler_of_the_program(number: signal.Signals) -> None:
    told = []
    signal.signal(number, lambda number, _: told.append(number))
    with delayed_signals():
        signal.raise_signal(number)
        assert told == []
    assert told == [number]


def test_a_signal_is_delayed_when_the_block_fails() -> None:
    told = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))

    def fail() -> None:
        with delayed_signals():
            signal.raise_signal(signal.SIGTERM)
            raise OSError("no such program")

    with pytest.raises(OSError, match="no such program"):
        fail()
    assert told == [signal.SIGTERM]


def test_an_ignored_signal_stays_ignored_in_a_program_that_starts() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with delayed_signals():
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_another_thread_changes_no_handler() -> None:
    seen = []

    def start() -> None:
        with delayed_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def test_ctrl_c_leaves_no_event_loop_half_built(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[asyncio.AbstractEventLoop] = []
    build = asyncio.new_event_loop

    def interrupted() -> asyncio.AbstractEventLoop:
        signal.raise_signal(signal.SIGINT)
        built.append(build())
        return built[0]

    monkeypatch.setattr(asyncio.events, "new_event_loop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        event_loop.run(lambda: asyncio.sleep(0))
    (loop,) = built
    loop.close()


def test_ctrl_c_cancels_a_coroutine() -> None:
    ended = []

    async def ask() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    with pytest.raises(KeyboardInterrupt):
        event_loop.run(ask)
    assert ended == ["cancelled"]
