"""Programs with more OpenMP threads than their CPU quota pays for."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner

SHOW = 'echo "$OMP_NUM_THREADS"'


@pytest.fixture
def one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of control groups, made up, in which every process has a quota of one core."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core only: no program has too many threads")
    folder = tmp_path / "cgroup"
    (folder / "cpu").mkdir(parents=True)
    (folder / "cpu.max").write_text("100000 100000\n")
    (folder / "cpu.stat").write_text("nr_throttled 7\n")
    monkeypatch.setenv("GIVEWAY_CGROUP", str(folder))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if "\n0::" not in "\n" + Path("/proc/self/cgroup").read_text():
        pytest.skip("no unified hierarchy: the made up one is of that version")
    return folder


def test_run_sets_the_number_that_fits_and_says_so_once(giveway: Runner, one_core: Path) -> None:
    said = f"giveway: the CPU quota is 1 core ({one_core}/cpu.max): OMP_NUM_THREADS=1\n"
    inner = (GIVEWAY, "run", "--device", "cpu", "--", "sh", "-c", SHOW)
    done = giveway("run", "--device", "cpu", "--", *inner)
    assert (done.stdout, done.stderr) == ("1\n", said)
    done = giveway(*inner[1:], env={"OMP_NUM_THREADS": "2"})
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_doctor_says_what_does_not_fit(
    giveway: Runner, regions: Callable[..., object], one_core: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = f"1 core ({one_core}/cpu.max)"
    own = f"{where}; giveway run sets OMP_NUM_THREADS=1"
    assert json.loads(giveway("doctor", "--json").stdout)["cpu_quota"] == own
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    regions()
    problems = json.loads(giveway("doctor", "--json").stdout)["problems"]
    shell, program = sorted((each["what"], each["do"]) for each in problems)
    assert shell == (
        f"OMP_NUM_THREADS=2 is more than the CPU quota of {where} pays for: programs are throttled",
        "export OMP_NUM_THREADS=1",
    )
    assert program[0].startswith("regions (")
    assert program[0].endswith(
        f"has more OpenMP threads than its CPU quota of {where} pays for, and was throttled 7 times"
    )
    assert program[1] == "start it with OMP_NUM_THREADS=1"


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of this machine with a quota of one core."""
    top = Path("/sys/fs/cgroup")
    unified = (top / "cgroup.controllers").exists()
    folder = (top if unified else top / "cpu") / f"giveway-test-{os.getpid()}"
    limit = ("cpu.max", "100000 100000") if unified else ("cpu.cfs_quota_us", "100000")
    try:
        folder.mkdir()
        (folder / limit[0]).write_text(limit[1])
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no control group with a quota can be made here: {error}")
    yield folder
    folder.rmdir()


def test_a_real_quota_is_found(
    spawn: Spawner, group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core only: no program has too many threads")
    monkeypatch.delenv("GIVEWAY_CGROUP")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    enter = f'echo $$ > {group}/cgroup.procs; exec "$@"'
    run = (GIVEWAY, "run", "--device", "cpu", "--", "sh", "-c", SHOW)
    process = spawn("sh", "-c", enter, "sh", *run)
    assert process.stdout is not None
    assert process.stdout.read() == "1\n"
    assert process.wait() == 0
