"""What else uses the machine is refused, or said and recorded."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from giveway.bench import load, surroundings
from giveway.bench.counters import Reader
from giveway.cli.parts.machine import examine
from giveway.devices import nvml
from giveway.errors import NotMeasuredError
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.bench_programs import BRIEFLY, SERVE, arguments, scenario
from tests.system.conftest import Regions
from tests.waiting import eventually

SPIN = "print('ready', flush=True)\nwhile True: pass"


@pytest.mark.usefixtures("light_torch")
def test_a_foreign_task_is_refused_in_one_line(
    giveway: Runner, regions: Regions, tmp_path: Path
) -> None:
    foreign = regions("--name", "mine")
    options = arguments(tmp_path, scenario(tmp_path, "one", SERVE))
    options.remove("--anyway")
    for command in (options, ["demo", "--seconds", "3"], ["verify", "--only", "to", "-d", "cpu"]):
        done = giveway(*command)
        assert (done.returncode, done.stdout) == (9, "")
        assert done.stderr == (
            f"giveway: the task 'mine' (pid {foreign.pid}) would take part in the measurement: "
            "stop it, or measure nevertheless with --anyway\n"
        )
    assert not (tmp_path / "out").exists()


def test_anyway_measures_and_records_it(giveway: Runner, regions: Regions, tmp_path: Path) -> None:
    foreign = regions("--name", "mine")
    options = arguments(tmp_path, scenario(tmp_path, "one", SERVE), modes=BRIEFLY)
    done = giveway(*options)
    assert done.returncode == 9  # the bar is of another mode
    head = json.loads((tmp_path / "out" / "run.json").read_text())
    assert head["at_start"]["intruders"] == [f"the task 'mine' (pid {foreign.pid})"]
    assert f"The task 'mine' (pid {foreign.pid}) took part in the run." in done.stdout.splitlines()


def test_a_daemon_is_refused(giveway: Runner, spawn: Spawner, tmp_path: Path) -> None:
    """With another policy the mode `giveway` would be that policy, and nothing would say so."""
    daemon = spawn(GIVEWAY, "serve", "--policy", "rr")
    assert eventually(lambda: giveway("policy").returncode == 0)
    options = arguments(tmp_path, scenario(tmp_path, "one", SERVE))
    options.remove("--anyway")
    done = giveway(*options)
    assert done.returncode == 9
    assert "giveway: a daemon (giveway serve" in done.stderr
    daemon.terminate()
    daemon.wait(timeout=60)


def test_a_task_that_comes_later_is_seen_too(
    regions: Regions, giveway_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_DIR", str(giveway_dir))
    reader = Reader("cpu")
    own = regions("--name", "own")
    session = os.getsid(own.pid)
    assert reader.intruders({session}) == []
    assert reader.intruders(set()) == [f"the task 'own' (pid {own.pid})"]


def test_a_worker_in_a_session_of_its_own_belongs_to_its_launcher(
    spawn: Spawner, regions_program: str, giveway_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchrun's workers are such: they counted as programs of others, and had no launches."""
    monkeypatch.setenv("GIVEWAY_DIR", str(giveway_dir))
    launcher = "import subprocess, sys; subprocess.run(sys.argv[1:], start_new_session=True)"
    command = (GIVEWAY, "run", "--name", "rank", "--", regions_program)
    process = spawn(sys.executable, "-c", launcher, *command)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    reader = Reader("cpu")
    session = os.getsid(process.pid)
    (task,) = reader.tasks({"low": session})["low"]
    assert os.getsid(task.pid) != session
    assert reader.intruders({session}) == []
    assert reader.intruders(set()) == [f"the task 'rank' (pid {task.pid})"]
    counted = reader.counters({"low": session}, gated=True)["low"]
    assert counted.launches > 0
    os.kill(task.pid, signal.SIGKILL)


def test_the_load_of_others_is_measured_and_its_program_named(spawn: Spawner) -> None:
    busy = spawn(sys.executable, "-c", SPIN)
    assert busy.stdout is not None
    assert busy.stdout.readline() == "ready\n"

    def named() -> bool:
        found = load.look()
        return found["others"] > 0 and busy.pid in [each["pid"] for each in found["programs"]]

    assert eventually(named)


def test_what_the_measured_programs_use_is_not_others(spawn: Spawner) -> None:
    earlier, later = load.read(), load.read()
    assert later.since(earlier, programs=1e9)["others"] == 0


def test_a_busy_machine_is_said_in_one_line() -> None:
    found = {"others": 0.5, "steal": 0.0, "programs": [{"name": "sh", "pid": 42, "cores": 1.0}]}
    said = surroundings.load_in_words(found)
    assert said is not None
    assert said.startswith("other programs use 50% of the processor time: sh (pid 42, 100% of a")
    stolen = surroundings.load_in_words({"others": 0.0, "steal": 0.3, "programs": []})
    assert stolen is not None
    assert stolen.startswith("other virtual machines take 30%")
    assert surroundings.load_in_words({"others": 0.1, "steal": 0.0, "programs": []}) is None


def test_a_gpu_in_use_by_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No round could tell: a program that is slower by the same amount all the time, alone as well,
    has the same ratios as an undisturbed one."""
    busy = [0.97]
    monkeypatch.setattr(surroundings, "intruders", lambda device, anyway: [])
    monkeypatch.setattr(load, "look", lambda: {"others": 0.0, "steal": 0.0, "programs": []})
    monkeypatch.setattr(nvml.Utilization, "share", lambda self, since: busy[0])
    with pytest.raises(NotMeasuredError, match=r"the GPU busy 97% of the time .* --anyway"):
        examine("cuda", anyway=False)
    assert examine("cuda", anyway=True)["load"]["device"] == 0.97
    busy[0] = 0.02
    assert examine("cuda", anyway=False)["load"]["device"] == 0.02
    assert examine("cpu", anyway=False)["load"]["device"] is None


def test_settings_are_those_that_change_what_programs_do() -> None:
    found = surroundings.settings({"GIVEWAY_DIR": "/x", "OMP_NUM_THREADS": "1", "HOME": "/root"})
    assert found == {"GIVEWAY_DIR": "/x", "OMP_NUM_THREADS": "1"}


def test_anyway_is_no_error(giveway_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEWAY_DIR", str(giveway_dir))
    monkeypatch.setattr(surroundings, "_intruders", lambda _: ["a daemon"])
    assert surroundings.intruders("cpu", anyway=True) == ["a daemon"]
    with pytest.raises(NotMeasuredError, match="a daemon would take part"):
        surroundings.intruders("cpu", anyway=False)
