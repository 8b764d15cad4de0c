"""Keeps a test from starting a process, reading a clock or importing torch.

A conftest that imports this does so before giveway is imported: a clock that giveway takes as the
default of an argument is a guarded one too.
"""

from __future__ import annotations

import _posixsubprocess
import functools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import pytest

OURS = ("giveway", "tests")
CLOCKS: tuple[tuple[Any, str], ...] = (
    *((time, name) for name in ("monotonic", "perf_counter", "process_time", "thread_time")),
    *((time, name) for name in ("time", "time_ns", "monotonic_ns", "perf_counter_ns")),
    *((time, name) for name in ("process_time_ns", "thread_time_ns", "clock_gettime", "sleep")),
    (signal, "setitimer"),
    (signal, "alarm"),
    (threading.Timer, "__init__"),
)
STARTS_A_PROCESS = {
    *("subprocess.Popen", "os.system", "os.fork", "os.forkpty"),
    *("os.posix_spawn", "os.spawn", "os.exec", "pty.spawn"),
}
HEAVY = {"torch"}


class ImpureError(AssertionError):
    """A test did something that a pure test must not do."""


_refusals: list[str] | None = None
"""What the running test was refused; None while nothing is."""


def _refuse(what: str) -> None:
    if _refusals is not None:
        _refusals.append(what)
        raise ImpureError(f"a unit test {what}")


def _audit(event: str, _arguments: tuple[object, ...]) -> None:
    if event in STARTS_A_PROCESS:
        _refuse(f"starts a process ({event}): it belongs in tests/system")


class _HeavyFinder:
    """Asked first where a module is. To ask whether there is one is no import."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        watched = name in HEAVY and _refusals is not None
        installed = watched and PathFinder.find_spec(name, path)
        return ModuleSpec(name, _HeavyLoader()) if installed else None


class _HeavyLoader(Loader):
    def exec_module(self, module: ModuleType) -> None:
        _refuse(f"imports {module.__name__}: it belongs in tests/system")


def _guard(owner: Any, name: str) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        caller = str(sys._getframe(1).f_globals.get("__name__", ""))
        if caller.partition(".")[0] in OURS:  # pytest and hypothesis may go on reading clocks
            _refuse(f"calls {owner.__name__}.{name}: pass the time in, or fake it")
        return original(*args, **kwargs)

    setattr(owner, name, call)


def _guard_multiprocessing() -> None:
    """Its servers and spawned workers start by a call that raises no audit event."""
    original = _posixsubprocess.fork_exec

    def fork_exec(*args: Any) -> int:
        _audit("subprocess.Popen", ())
        return original(*args)

    _posixsubprocess.fork_exec = fork_exec


for _owner, _name in CLOCKS:
    _guard(_owner, _name)
_guard_multiprocessing()
sys.addaudithook(_audit)
sys.meta_path.insert(0, _HeavyFinder)


@pytest.fixture(autouse=True)
def refusals() -> Iterator[list[str]]:
    """Guards one test. Yields the refused actions, for the guard's own tests.

    A refusal that the code under test swallowed fails the test at its end.
    """
    global _refusals
    refused: list[str] = []
    _refusals = refused
    try:
        yield refused
    finally:
        _refusals = None
    assert not refused, f"and went on: a unit test {refused[0]}"
