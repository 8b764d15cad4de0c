"""Ctrl-C in the moment in which `giveway verify` starts a program or a thread."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from giveway.verify import process, session, startup
from giveway.verify.options import Options
from giveway.verify.process import Limits
from giveway.verify.rivals import Rivals


def check(folder: Path) -> None:
    arguments = ["source", "name", "cpu", "0"]
    limits = Limits(60, memory_bytes=2**30)
    process.run(arguments, os.environ, folder, folder / "log", limits, threading.Event())


def timed_import(_folder: Path) -> None:
    startup._import_seconds(os.environ)


@pytest.mark.parametrize("start", [check, timed_import])
def test_ctrl_c_while_a_program_starts_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Callable[[Path], None]
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, command: list[str], **options: Any) -> None:
            super().__init__(command, **options)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path)
    (program,) = started
    assert program.returncode is not None  # it was waited for, too


def test_ctrl_c_while_rivals_start_ends_those_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[threading.Thread] = []
    monkeypatch.setattr(Rivals, "_keep", lambda rivals, _environment: rivals._stop.wait(30))
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if running:
            signal.raise_signal(signal.SIGINT)
        begin(thread)
        running.append(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyboardInterrupt), Rivals(Options(device="cpu", seed=0, rivals=1)):
        pass
    assert [thread.is_alive() for thread in running] == [False]


def test_ctrl_c_while_checks_start_stops_those_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    running = SimpleNamespace(
        options=SimpleNamespace(jobs=2),
        stop=stop,
        run=lambda _source, check: SimpleNamespace(check=check, stopped=stop.wait(30)),
    )
    submit = ThreadPoolExecutor.submit
    began: list[Any] = []

    def interrupted(pool: ThreadPoolExecutor, *call: Any) -> Any:
        if began:
            signal.raise_signal(signal.SIGINT)
        began.append(submit(pool, *call))
        return began[0]

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    checks: Any = [("checks.py", SimpleNamespace(alone=False, limit=1))] * 2
    finished: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        session._run_all(running, checks, lambda _number, outcome: finished.append(outcome))  # type: ignore[arg-type]
    assert [outcome.stopped for outcome in finished] == [True]
