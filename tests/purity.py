"""Keeps a test from starting a process or reading a clock: what `tests/unit` promises."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

OURS = ("giveway", "tests")
CLOCKS = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep")
STARTS_A_PROCESS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"}

_watching = False


def _audit(event: str, args: tuple[object, ...]) -> None:
    if _watching and event in STARTS_A_PROCESS:
        raise AssertionError(f"a unit test starts a process ({event}): it belongs in tests/system")


sys.addaudithook(_audit)


def _forbidden(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.partition(".")[0] in OURS:
            raise AssertionError(f"a unit test calls time.{name}: pass the time in, or fake it")
        return original(*args, **kwargs)

    return call


@contextlib.contextmanager
def neither_process_nor_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it, giveway's code and the tests' own may not start processes or read clocks.

    pytest and hypothesis may go on reading clocks. A test that replaces a clock by one of its own
    replaces the refusal as well.
    """
    global _watching
    for name in CLOCKS:
        monkeypatch.setattr(time, name, _forbidden(name, getattr(time, name)))
    _watching = True
    try:
        yield
    finally:
        _watching = False
