"""What every test gets: a page folder of its own, and no trace of the caller's giveway."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# How long an example takes says how busy the machine is. The examples are the same in every run;
# make soak tries others.
hypothesis.settings.register_profile("giveway", deadline=None, derandomize=True)
hypothesis.settings.register_profile("soak", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("giveway")

# Ignored in what a shell runs in its background, and inherited by every program of a test.
signal.signal(signal.SIGINT, signal.default_int_handler)

GIVEWAY = str(Path(sys.executable).with_name("giveway"))
# Permissions bind root too, once it has no capabilities.
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

Runner = Callable[..., "subprocess.CompletedProcess[str]"]
Spawner = Callable[..., "subprocess.Popen[str]"]


def one_line(text: str) -> str:
    """The only line of ``text``, which must be giveway's."""
    (line,) = text.splitlines()
    assert line.startswith("giveway: ")
    return line


@pytest.fixture(autouse=True)
def giveway_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the gate pages that this test's processes use."""
    decided = (
        *("LD_PRELOAD", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"),
        "PYTHONUNBUFFERED",
    )
    for name in [key for key in os.environ if key.startswith("GIVEWAY_") or key in decided]:
        monkeypatch.delenv(name)
    folder = tmp_path / "pages"
    monkeypatch.setenv("GIVEWAY_DIR", str(folder))
    monkeypatch.setenv("GIVEWAY_CONFIG", os.devnull)
    monkeypatch.setenv("GIVEWAY_CGROUP", os.devnull)  # this machine may have a quota
    return folder


@pytest.fixture
def giveway() -> Runner:
    """Runs ``giveway ARGS…`` to its end. Returns the exit code and the output."""

    def run(
        *args: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [GIVEWAY, *args],
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **{"stdin": subprocess.DEVNULL} | options if "input" not in options else options,
        )

    return run


@pytest.fixture
def spawn() -> Iterator[Spawner]:
    """Starts processes that are killed, children and all, when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *args: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            args,
            env={**os.environ, **(env or {})},
            text=True,
            start_new_session=True,
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE} | options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
