"""`giveway demo` as a user runs it: the figures, and that nothing is left behind.

What stands in for torch computes; `test_torch.py` measures models of torch's own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from giveway.cli import demo, main
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.processes import all_gone
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("light_torch")

PROGRAMS = 5
"""Two programs in two modes, and the guard that kills them with the demo."""


def start(spawn: Spawner, *options: str, until: str) -> subprocess.Popen[str]:
    """A demo that has reached the stage ``until``."""
    process = spawn(GIVEWAY, "demo", "--anyway", *options, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if until in line:
            return process
    raise AssertionError(f"the demo ended before {until!r}")


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    assert eventually(lambda: len(psutil.Process(process.pid).children()) >= PROGRAMS)
    return psutil.Process(process.pid).children(recursive=True)


def test_the_whole_demo(spawn: Spawner, tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    options = ("--seconds", "6", "--json", str(path))
    process = start(spawn, *options, until="choosing sizes")
    programs = children(process)
    out, err = process.communicate(timeout=200)
    assert process.returncode in (0, 9), err
    assert all_gone(programs)

    figures = json.loads(path.read_text())
    assert (figures["kind"], figures["schema"]) == ("giveway bench", 2)
    assert (figures["device"], figures["complete"]) == ("cpu", True)
    (scenario,) = figures["results"]
    assert (scenario["name"], scenario["status"]) == ("dual", "measured")
    assert "Traceback" not in err
    assert max(map(len, out.splitlines())) <= 80
    if not scenario["modes"]:  # a machine so busy that no round would have ended in time
        assert process.returncode == 9
        assert "no round could be finished in time" in " ".join(out.split())
        return
    assert set(scenario["modes"]) == {"alone", "native", "giveway"}
    for mode in scenario["modes"].values():
        for each in mode["high"]["rounds"]:
            assert each["requests"] >= 1
            assert 0 < each["p50_ms"] <= each["p99_ms"] <= each["max_ms"]
        # A round is too short for a batch where the machine stands still for a while.
        assert any(each["throughput"] > 0 for each in mode["low"]["rounds"])
    counts = {
        tuple(each["requests"] for each in mode["high"]["rounds"])
        for mode in scenario["modes"].values()
    }
    assert len(counts) == 1, "open loop: the same requests in every mode"
    assert 1 <= len(counts.pop()) <= 4
    # On a machine whose cores others take, the demo says so, and has no figures.
    measured = all(mode["high"]["not_measured"] is None for mode in scenario["modes"].values())
    for name in ("native", "giveway"):
        high = scenario["modes"][name]["high"]
        assert (high["p99_ratio"] is None) == (high["not_measured"] is not None)
        if measured:
            alone = scenario["modes"]["alone"]["high"]["rounds"]
            ratios = [
                each["p99_ms"] / base["p99_ms"]
                for each, base in zip(high["rounds"], alone, strict=True)
                if each["fault"] is None
            ]
            assert high["p99_ratio"]["by_round"] == pytest.approx(ratios, rel=0.01)
    assert set(figures["versions"]) >= {"python", "giveway", "torch"}

    if not out.startswith("Nothing can be said about this machine: "):
        assert measured
        assert "without giveway  " in out
        assert f"{scenario['modes']['native']['high']['p99_ms']:.1f} ms" in out
    else:
        assert "×" not in out
        assert process.returncode == 9


@pytest.mark.parametrize("stage", ["starting the programs", "choosing sizes"])
def test_ctrl_c_leaves_nothing_behind(spawn: Spawner, stage: str) -> None:
    process = start(spawn, "--seconds", "6", until=stage)
    programs = children(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert all_gone(programs)


def test_a_killed_demo_leaves_nothing_behind(spawn: Spawner) -> None:
    process = start(spawn, until="choosing sizes")
    programs = children(process)
    process.kill()
    assert all_gone(programs)


def test_a_program_that_dies_is_named(spawn: Spawner) -> None:
    process = start(spawn, until="choosing sizes")
    programs = children(process)
    models = [each for each in programs if "giveway.bench.program" in each.cmdline()]
    min(models, key=psutil.Process.create_time).kill()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 6
    assert out == ""
    assert err.splitlines()[-1] == "giveway: the urgent program was killed by signal 9"
    assert all_gone(programs)


def test_a_program_that_cannot_start_says_why(giveway: Runner, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no such luck')")
    done = giveway("demo", "--anyway", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 6
    last = done.stderr.splitlines()[-1]
    assert last.startswith("giveway: the urgent program ended with exit code 1: ")
    assert last.endswith("ImportError: no such luck")


def test_a_damaged_page_is_an_error_at_once(giveway: Runner, giveway_dir: Path) -> None:
    giveway_dir.mkdir(mode=0o700)
    (giveway_dir / "cpu.page").write_bytes(b"no page" * 100_000)
    (giveway_dir / "cpu.page").chmod(0o600)
    done = giveway("demo", "--anyway", "--seconds", "3")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("giveway: ")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--device", "nope"], "nope"),
        (["--seconds", "1"], "1"),
        (["--json", "/nowhere/at/all.json"], "/nowhere/at"),
        (["--json", "/"], "directory"),
    ],
)
def test_wrong_arguments(giveway: Runner, options: list[str], says: str) -> None:
    done = giveway("demo", *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr


def test_demo_under_run_would_gate_its_ungated_programs(giveway: Runner) -> None:
    done = giveway("run", "--", GIVEWAY, "demo")
    assert done.returncode == 2
    assert "without giveway run" in done.stderr


def test_without_torch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _: None)
    with pytest.raises(SystemExit) as stopped:
        main(["demo"])
    assert stopped.value.code == 5
    assert capsys.readouterr().err == (
        "giveway: giveway demo needs PyTorch: pip install 'giveway[torch]'\n"
    )


def test_the_command_itself_does_without_torch(giveway: Runner) -> None:
    done = giveway("demo", "--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    assert "urgent" in done.stdout
    assert " torch\n" not in done.stderr
    assert os.environ.get("GIVEWAY_RUN") is None
