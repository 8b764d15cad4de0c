"""`giveway verify` as a user runs it, over checks that go wrong: each is caught and named.

What stands in for torch computes in most of them: a run starts some fifty processes.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import termios
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fastjsonschema
import psutil
import pytest

from giveway.cli import main, verify
from giveway.verify import check, session
from giveway.verify import result as verify_result
from giveway.verify.options import Options
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.bad_checks import CHECKS
from tests.system.processes import all_gone, started_under
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("light_torch")

BAD = str(Path(__file__).with_name("bad_checks.py"))
PROGRAMS = str(Path(__file__).with_name("programs.py"))

validate = fastjsonschema.compile(
    json.loads(resources.files("giveway.verify").joinpath("schema.json").read_text())
)


class Ran:
    """A finished `giveway verify`."""

    def __init__(self, path: Path, *options: str) -> None:
        self.done = subprocess.run(
            [GIVEWAY, "verify", "-d", "cpu", "--json", str(path), *options],
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        self.logs = path.parent / "logs"
        self.pages = path.parent / "pages"
        self.code, self.out = self.done.returncode, self.done.stdout
        self.document: dict[str, Any] = json.loads(path.read_text())
        validate(self.document)
        self.checks = {each["name"]: each for each in self.document["checks"]}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, light: Path) -> Ran:
    """All the bad checks but those that need a run of their own, two at a time."""
    path = tmp_path_factory.mktemp("bad")
    names = [each.name for each in CHECKS if each.name not in ("blow-up", "slow", "held")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIVEWAY_DIR", str(path / "pages"))
        patch.setenv("PYTHONPATH", str(light))
        options = ["--checks", BAD, "--keep-logs", str(path / "logs"), "--jobs", "2"]
        return Ran(path / "verify.json", *options, *only(*names))


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def test_one_failure_is_enough(ran: Ran) -> None:
    assert ran.code == 1
    assert not ran.document["ok"]
    assert ran.document["jobs"] == 2
    assert ran.document["counts"] == {"passed": 2, "failed": 13, "skipped": 3}
    assert "2 passed, 13 failed, 3 skipped on cpu" in ran.out
    names = [each["name"] for each in ran.document["checks"]]
    assert names == [each.name for each in CHECKS if each.name in names]


def test_what_is_the_same_passes(ran: Ran) -> None:
    good = ran.checks["good"]
    assert (good["status"], good["reason"], good["ended"]) == ("passed", None, "done")
    assert good["comparison"]["how"] == "bitwise"
    assert good["comparison"]["outputs"] == 1
    assert good["seen"]["launches"] > 0
    assert good["seen"]["allocations"] is None
    assert good["seen"]["tasks"] == [{"name": "verify-good", "priority": 0}]
    assert "phase 1" in ran.out
    assert {path.name for path in ran.logs.glob("good.*")} == {
        "good.giveway.log",
        "good.plain-1.log",
    }


def test_a_wrong_operator_is_named(ran: Ran) -> None:
    wrong = ran.checks["wrong"]
    assert wrong["status"] == "failed"
    first = wrong["comparison"]["first_difference"]
    assert (first["output"], first["dtype"]) == ("output.product", "float32")
    assert (first["different"], first["values"]) == (1, 90000)
    assert first["largest_abs"] == pytest.approx(0.5, rel=1e-3)
    assert first["largest_rel"] > 0
    assert "wrong failed: output.product (float32) differs in 1 of 90000 values" in ran.out
    assert wrong["reason"].endswith("; seed 20")
    assert (wrong["comparison"]["plain_runs"], wrong["comparison"]["plain_agree"]) == (3, True)


def test_noise_is_allowed_and_nothing_beyond_it(ran: Ran) -> None:
    assert ran.checks["noisy"]["status"] == "passed"
    assert ran.checks["noisy"]["comparison"]["how"] == "tolerance"
    assert ran.checks["noisy"]["comparison"]["plain_runs"] > 1
    assert ran.checks["worse"]["status"] == "failed"
    assert ran.checks["worse"]["comparison"]["plain_agree"] is False


def test_a_hang_is_killed_with_its_children_and_shows_its_stacks(ran: Ran) -> None:
    hang = ran.checks["hang"]
    assert (hang["status"], hang["ended"]) == ("failed", "hung")
    assert hang["reason"].startswith("hung: not done after 30 s, at bad_checks.py, line ")
    assert hang["reason"].endswith(" in _hang")
    log = (ran.logs / "hang.giveway.log").read_text()
    assert "Python stacks of process" in log
    assert "in _hang" in log
    assert "native stacks of process" in log
    # Not even the child that left its session.
    assert started_under(ran.pages) == []


def test_a_crash_shows_the_signal_and_the_last_words(ran: Ran) -> None:
    crash, leaves = ran.checks["crash"], ran.checks["exit"]
    assert crash["ended"] == leaves["ended"] == "crashed"
    assert crash["reason"].startswith("crashed: SIGSEGV (signal 11): Fatal Python error")
    assert "the last words" in (ran.logs / "crash.giveway.log").read_text()
    assert leaves["reason"] == "crashed: exit code 3: the last words"


def test_memory_that_runs_out_is_named(ran: Ran) -> None:
    large = ran.checks["too-large"]
    assert large["ended"] == "out of memory"
    assert large["reason"].startswith("also without giveway: out of memory: ")


def test_memory_that_is_not_freed_is_found(ran: Ran) -> None:
    assert ran.checks["leak"]["ended"] == "failed"
    assert ran.checks["leak"]["reason"].endswith(
        "bytes are still in use after everything was freed"
    )


def test_an_exception_is_named(ran: Ran) -> None:
    assert ran.checks["raise"]["ended"] == "failed"
    assert ran.checks["raise"]["reason"] == "ValueError: no luck"
    mistaken = "the check could not test its result: ZeroDivisionError: division by zero"
    assert ran.checks["expect"]["reason"] == mistaken


def test_a_blow_up_is_stopped_before_it_takes_the_machine_along(tmp_path: Path) -> None:
    chosen = check.select(check.from_source(BAD), (), ("blow-up",))
    options = Options(device="cpu", seed=20, memory_bytes=1 << 29, logs=tmp_path / "logs")
    (outcome,) = session.run(chosen, options, lambda *_: None).outcomes
    assert (outcome.status, outcome.ended) == ("failed", "out of memory")
    assert outcome.reason == "out of memory: the program used more than 0.5 GiB"


def test_what_does_not_apply_is_skipped_with_its_reason(ran: Ran) -> None:
    reasons = {
        each["name"]: each["reason"] for each in ran.checks.values() if each["status"] == "skipped"
    }
    assert reasons == {
        "skip": "it is not the day for it",
        "elsewhere": "not on cpu, only on hip",
        "missing": "no no_such_module",
    }
    assert "elsewhere skipped: not on cpu, only on hip" in ran.out


def test_the_table_fits_on_a_narrow_terminal() -> None:
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (20, 40))
    command = [GIVEWAY, "verify", "-d", "cpu", "--checks", BAD, *only("elsewhere", "missing")]
    with open(master, "rb", buffering=0) as terminal:
        done = subprocess.run(
            command, env={**os.environ, "COLUMNS": ""}, stdout=slave, timeout=60, check=False
        )
        os.close(slave)
        shown = terminal.read(1 << 16).decode().split("\r\n")
    assert done.returncode == 1
    assert "  CHECK      RESULT   LAUNCHES  HELD s" in shown
    table = [line for line in shown if line.startswith("  ")]
    assert len(table) == 3
    assert max(map(len, table)) <= 40


def test_nothing_but_skipped_is_no_success(tmp_path: Path) -> None:
    nothing = Ran(tmp_path / "verify.json", "--checks", BAD, *only("elsewhere", "missing"))
    assert nothing.code == 1
    assert nothing.document["counts"] == {"passed": 0, "failed": 0, "skipped": 2}


def test_a_program_that_ran_ungated_proves_nothing(ran: Ran) -> None:
    assert ran.checks["ungated"]["reason"] == "the program ran ungated: giveway counted no launches"


def test_what_proves_nothing_does_not_pass(ran: Ran) -> None:
    """Each of these computed the same with giveway as without it."""
    for name, reason in {
        "nan": "output.loss has no finite value: equal outputs prove nothing",
        "nothing": "the check has no output: nothing was compared",
        "child": r"it starts \S+python\S* without giveway's libraries",
    }.items():
        found = ran.checks[name]
        assert found["status"] == "failed"
        assert re.fullmatch(reason, found["reason"])
        assert found["comparison"]["how"] == "bitwise"


def test_rivals_that_hold_nothing_prove_nothing() -> None:
    passed = session.Outcome(CHECKS[0], "passed")
    results = session.Results([passed], False, 1.0, 2, {}, None)
    assert results.holds == 0
    assert verify_result.ok(results)
    assert not verify_result.ok(results, rivals=1)


def test_logs_of_failures_are_kept_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    options = ("--checks", BAD, *only("good", "raise"))
    mixed = Ran(tmp_path / "verify.json", *options)
    (folder,) = tmp_path.glob("giveway-verify-*/logs")
    assert f"logs: {folder}" in mixed.out
    kept = {each.name for each in folder.iterdir()}
    assert kept == {"raise.giveway.log", "raise.plain-1.log"}
    assert "ValueError: no" in (folder / "raise.giveway.log").read_text()


def test_a_success_leaves_nothing(
    tmp_path: Path, giveway_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    good = Ran(tmp_path / "verify.json", "--checks", BAD, *only("held"), "--rivals", "1")
    assert good.code == 0, good.out
    assert good.document["holds"] > 0
    assert [each.name for each in tmp_path.glob("giveway-*")] == []
    # Beside rivals, and these have gone as well.
    assert good.document["rivals"] == 1
    assert good.document["rivals_worked"] >= 2
    assert "beside 2 rivals" in good.out
    assert started_under(giveway_dir) == []


def start_slow(
    spawn: Spawner, path: Path, first: str, said: str
) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A run whose second check has begun."""
    process = spawn(
        *(GIVEWAY, "verify", "-d", "cpu", "--checks", BAD, "--json", str(path)),
        *only(first, "slow"),
        stderr=subprocess.PIPE,
        env={"TMPDIR": str(path.parent)},
    )
    assert process.stderr is not None
    assert f"{first}: {said}" in process.stderr.readline()
    assert eventually(
        lambda: any(
            "begun" in log.read_text() for log in path.parent.glob("*/logs/slow.plain-1.log")
        )
    )
    return process, psutil.Process(process.pid).children()


def test_ctrl_c_reports_what_is_finished(spawn: Spawner, tmp_path: Path) -> None:
    path = tmp_path / "verify.json"
    process, children = start_slow(spawn, path, "good", "passed")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Interrupted: 1 passed, 0 failed" in out
    document = json.loads(path.read_text())
    validate(document)
    assert document["interrupted"]
    assert not document["ok"]
    assert [each["name"] for each in document["checks"]] == ["good"]
    assert not any(child.is_running() for child in children)
    assert list(tmp_path.glob("giveway-verify-*")) == []


def test_a_killed_verify_leaves_no_program(spawn: Spawner, tmp_path: Path) -> None:
    process, children = start_slow(spawn, tmp_path / "verify.json", "missing", "skipped")
    process.kill()
    assert all_gone(children)


def test_rivals_that_do_not_work_are_an_error(tmp_path: Path, giveway: Runner) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no such luck')")
    env = {"PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = giveway("verify", "-d", "cpu", "--rivals", "1", "--only", "mlp", env=env)
    assert done.returncode == 6
    assert done.stderr.splitlines()[-1].startswith("giveway: a rival did not start to work")
    assert list(tmp_path.glob("giveway-verify-*")) == []


def test_a_full_disk_costs_the_file_only(giveway: Runner) -> None:
    bad = ("--checks", BAD, *only("missing"))
    done = giveway("verify", "-d", "cpu", *bad, "--json", "/dev/full")
    assert done.returncode == 1
    assert "0 passed, 0 failed, 1 skipped" in done.stdout
    said = done.stderr.splitlines()[-1]
    assert said == "giveway: cannot write /dev/full: No space left on device"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--device", "nope"], "nope"),
        (["--phase", "4"], "4"),
        (["--only", "nope"], "there are alexnet"),
        (["--only", "resnet51"], "did you mean 'resnet50'?"),
        (["--only", "mlp", "--phase", "1"], "phase 1"),
        (["--checks", "/no/such.py"], "/no/such.py"),
        (["--checks", PROGRAMS], "has no CHECKS"),
        (["--json", "/nowhere/at/all.json"], "/nowhere/at"),
        (["--json", "/proc/all.json"], "cannot write '/proc/all.json'"),
        (["--json", ""], "cannot write ''"),
        (["--keep-logs", "/proc/logs", "--only", "mlp"], "cannot keep logs in /proc/logs"),
        (["--rivals", "-1"], "-1"),
    ],
)
def test_wrong_arguments(giveway: Runner, options: list[str], says: str) -> None:
    done = giveway("verify", *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr


def test_verify_under_run_would_gate_its_ungated_programs(giveway: Runner) -> None:
    done = giveway("run", "-d", "cpu", "--", GIVEWAY, "verify", "-d", "cpu")
    assert done.returncode == 2
    assert "without" in done.stderr


@pytest.mark.parametrize("missing", ["torch", "torchvision"])
def test_without_torch(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify, "find_spec", lambda name: None if name == missing else 1)
    with pytest.raises(SystemExit) as stopped:
        main(["verify", "--phase", "3", "-d", "cpu"])
    assert stopped.value.code == 5
    assert capsys.readouterr().err == (
        f"giveway: giveway verify needs {missing}: pip install 'giveway[torch]'\n"
    )


def test_the_command_itself_does_without_torch(giveway: Runner) -> None:
    done = giveway("verify", "--only", "nope", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "there are alexnet" in done.stderr
    assert " torch\n" not in done.stderr


def test_how_long_an_import_takes_is_a_check(tmp_path: Path) -> None:
    one = Ran(tmp_path / "verify.json", *only("import"))
    found = one.checks["import"]
    # Whether that is too long is for a quiet machine to say: tests/soak.
    assert found["status"] == "passed" or found["reason"].startswith("import torch takes")
    assert found["facts"]["pairs"] >= 8
    assert found["facts"]["import_ms"] > 0
    assert found["comparison"]["how"] == "bitwise"


@pytest.mark.skipif(find_spec("torch") is None, reason="no torch")
def test_torch_itself_computes_the_same_and_says_what_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH")
    names = ("good", "too-large")
    real = Ran(tmp_path / "verify.json", "--checks", BAD, *only(*names), "--jobs", "2")
    assert real.checks["good"]["status"] == "passed", real.out
    assert real.document["torch"]["torch"] != "light"
    assert real.checks["good"]["comparison"]["how"] == "bitwise"
    assert real.checks["good"]["seen"]["launches"] > 0
    assert real.checks["too-large"]["ended"] == "out of memory"
