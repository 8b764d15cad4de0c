"""What torch programs may expect of the clock, each compared with a control of the same run."""

from __future__ import annotations

import json
import os
import statistics
import struct
import subprocess
import time
from pathlib import Path

import pytest

from giveway.results import result
from tests.conftest import GIVEWAY, Spawner
from tests.system.bench_programs import of
from tests.system.conftest import light, light_torch  # noqa: F401
from tests.system.test_torch import SCENARIO
from tests.system.test_two_programs import LIGHT
from tests.system.watching import task_of
from tests.waiting import eventually

MOST_SECONDS = 0.05
TIMES = 7


def giveway(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GIVEWAY, *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("light_torch")
def test_a_large_program_that_is_killed_holds_nobody_for_longer_than_a_small_one(
    spawn: Spawner, tmp_path: Path
) -> None:
    """Its memory takes the kernel longer to give back than a held program may have to wait."""

    def start(*command: str, priority: int = 0) -> subprocess.Popen[str]:
        run = (GIVEWAY, "run", "--priority", str(priority), "--", *LIGHT, *command)
        process = spawn(*run, env={"GIVEWAY_MAX_WAIT_MS": "0", "LIGHT_COMPUTES": "1"})
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    marks = tmp_path / "marks"
    low = start("marks", str(marks))

    def held_for(name: str) -> float:
        """Seconds from the death of a program that holds the other one to a launch of that one."""
        high = start(name, priority=10)
        assert eventually(lambda: task_of(low.pid).state == "held")
        # From here on, only the held program checks whether the other program is alive.
        killed = time.monotonic()
        high.kill()
        while (launched := struct.unpack("d", marks.read_bytes())[0]) < killed:
            assert time.monotonic() < killed + 30
            time.sleep(0.001)
        return launched - killed

    waits = [(held_for("busy"), held_for("large")) for _ in range(TIMES)]
    small, large = (statistics.median(each) for each in zip(*waits, strict=True))
    assert large < small + MOST_SECONDS, waits


def test_an_import_takes_no_longer(tmp_path: Path) -> None:
    """The check times the import with giveway and without in turn."""
    path = tmp_path / "verify.json"
    done = giveway("verify", "-d", "cpu", "--only", "import", "--json", str(path))
    assert done.returncode == 0, done.stdout
    (found,) = json.loads(path.read_text())["checks"]
    assert found["facts"]["added_ms"] <= found["facts"]["most_ms"]


def test_a_training_gives_way_before_a_step_of_it_would_be_done(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SCENARIO.replace("layers = 1, width = 64", "layers = 4"))
    done = giveway(
        *("bench", str(tmp_path / "small.toml"), "--device", "cpu", "--modes", "alone,giveway"),
        *("--seconds", "3", "--repeats", "3", "--out", str(tmp_path / "out"), "--anyway"),
    )
    assert done.returncode == 0, done.stderr
    modes = of(result.read(tmp_path / "out"), "small")["modes"]
    gave_way = modes["giveway"]["low"]["preemption_latency_ms"]
    assert gave_way["closings"] >= 10
    assert gave_way["value"] < modes["alone"]["low"]["p50_ms"]
