"""Programs with more OpenMP threads than their CPU quota pays for."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from giveway.bench.quota import Group
from giveway.devices import quota
from giveway.errors import NotMeasuredError
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.bench_programs import BRIEFLY, SERVE, arguments, scenario

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
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
def group() -> Iterator[Group]:
    """A control group of this machine with a quota of one core."""
    try:
        made = Group("test", 1)
    except NotMeasuredError as error:
        pytest.skip(str(error))
    with made:
        yield made
    assert not made.folder.exists()


def test_a_real_quota_is_found(
    group: Group, spawn: Spawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core only: no program has too many threads")
    monkeypatch.delenv("GIVEWAY_CGROUP")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with Group("second", 1):  # does not take the first for that of a bench that was killed
        assert group.folder.exists()
    run = (GIVEWAY, "run", "--device", "cpu", "--", "sh", "-c", f"{SHOW}; exec sleep 1000")
    process = spawn(*group.prefix, *run)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    assert (group.folder / "cgroup.procs").read_text() == f"{process.pid}\n"
    found = quota.read(os.environ, process.pid)
    assert found is not None
    assert (found.cores, found.file.parent) == (1, group.folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_bench_refuses_a_quota_before_it_measures_another_scenario(tmp_path: Path) -> None:
    if subprocess.run([*NOBODY, GIVEWAY, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("another user cannot start this giveway")
    # Not below pytest's own folder, which another user may not enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        first, limited = (scenario(folder, each, SERVE) for each in ("first", "limited"))
        text = Path(limited).read_text()
        Path(limited).write_text(text.replace("priority = 0", "priority = 0\nquota = 1"))
        done = subprocess.run(
            [*NOBODY, GIVEWAY, *arguments(folder, first, limited, modes=BRIEFLY)],
            env={**os.environ, "GIVEWAY_DIR": str(folder / "pages")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 9
        assert done.stderr.startswith("giveway: high needs a CPU quota, and no control group can")
        assert not (folder / "out").exists()


def test_a_machine_without_control_groups_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match=f"no control group can be made in {tmp_path}/cpu"):
        Group("high", 1, tmp_path)
