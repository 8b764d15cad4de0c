"""`giveway bench` with commands as its programs, good and bad, and that nothing is left behind.

`test_bench_light.py` measures models of the stand-in for torch, `test_torch.py` of torch's own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from giveway.results import result
from giveway.results.store import records_of
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.bench_programs import BRIEFLY, CHILD, SERVE, SILENT, WORK, arguments, of, scenario
from tests.system.processes import all_gone, started_under
from tests.waiting import eventually


def test_programs_of_ones_own(giveway: Runner, tmp_path: Path) -> None:
    done = giveway(*arguments(tmp_path, scenario(tmp_path, "mine", SERVE), repeats=2))
    assert done.returncode == 0, done.stderr
    found = result.read(tmp_path / "out")
    segments = [each for each in records_of(tmp_path / "out", "mine") if each["kind"] == "segment"]
    order = [(each["round"], each["mode"], *each["programs"]) for each in segments]
    assert order == [
        (0, "alone", "high"), (0, "alone", "low"), (0, "native", "high", "low"),
        (0, "alone", "high"), (0, "alone", "low"),
        (1, "alone", "high"), (1, "alone", "low"), (1, "native", "high", "low"),
        (1, "alone", "high"), (1, "alone", "low"),
    ]  # fmt: skip
    assert [each["part"] for each in segments[:5]] == ["before", "before", None, "after", "after"]
    assert [each["seconds"] for each in segments[:5]] == [0.25, 0.25, 0.5, 0.25, 0.25]
    assert all(each["load"]["others"] >= 0 for each in segments)
    assert found["settings"]["anyway"] is True
    assert found["at_start"]["environment"]["GIVEWAY_DIR"]
    mine = of(found, "mine")
    assert (found["complete"], mine["status"]) == (True, "measured")
    high, low = mine["modes"]["native"]["high"], mine["modes"]["native"]["low"]
    assert high["requests"] >= 2
    assert high["p50_ms"] >= 2
    assert 0 < high["busy_share"] <= 1
    assert high["p99_ratio"]["value"] > 0
    assert low["busy_share"] is None
    assert low["share_of_alone"]["value"] > 0
    assert [bar["verdict"] for bar in mine["bars"]] == ["PASS"]
    assert "PASS         max_ms of high ≤ 1e+06" in done.stdout
    assert "1 passed, 0 failed" in done.stdout


BAD = {
    "dies": ("raise SystemExit('no weights')", "ended with exit code 1 before it wrote `ready`"),
    "killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "was killed by signal 9"),
    "ends": ("print('done')\n" + CHILD, "ended with exit code 0 before it wrote `ready`"),
    "missing": ("", "cannot be started: /no/such/program: No such file or directory"),
    "silent": (SILENT, "did not write `done` within 2 s"),
    "nonsense": (
        WORK.replace("done 0.01", "done soon"),
        "reported 'done soon', not `done LATENCY [BUSY]`",
    ),
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run, of all programs that are bad and of good ones behind them."""
    folder = tmp_path_factory.mktemp("bad")
    # That a program is silent is seen when the time for its answer is over.
    scenarios = [
        scenario(folder, name, code, answer=2 if name == "silent" else 60)
        for name, (code, _) in BAD.items()
    ]
    missing = Path(scenarios[list(BAD).index("missing")])
    missing.write_text(missing.read_text().replace('"python3"', '"/no/such/program"', 1))
    scenarios.append(scenario(folder, "good", SERVE))
    done = subprocess.run(
        [GIVEWAY, *arguments(folder, *scenarios, modes="native")],
        env={**os.environ, "GIVEWAY_DIR": str(folder / "pages")},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    return folder, done


@pytest.mark.parametrize("name", BAD)
def test_a_bad_program_is_named(
    bad: tuple[Path, subprocess.CompletedProcess[str]], name: str
) -> None:
    folder, done = bad
    failed = of(result.read(folder / "out"), name)
    assert failed["status"] == "failed"
    (failure,) = failed["failures"]
    assert failure["program"] == "high"
    assert BAD[name][1] in failure["what"]
    assert failed["bars"][0]["verdict"] == "NOT MEASURED"
    assert "high" in failed["bars"][0]["reason"]
    if name == "silent":
        assert failure["last_lines"] == ["about to do nothing"]
    assert done.stdout.count("FAILED       high") == len(BAD)


def test_the_rest_goes_on_and_nothing_is_left(
    bad: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = bad
    assert done.returncode == 6, done.stderr
    assert of(result.read(folder / "out"), "good")["status"] == "measured"
    assert eventually(lambda: started_under(folder / "pages") == [])


# Reports that the bench ends it.
ENDED = """
import os, pathlib, signal
def end(*_):
    pathlib.Path(__file__).with_name("ended").touch()
    os._exit(0)
signal.signal(signal.SIGTERM, end)
"""


def start(spawn: Spawner, tmp_path: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A bench in its second scenario, which never ends, with all child processes."""
    first = scenario(tmp_path, "one", SERVE)
    programs_of_two = {"high": ENDED + SERVE, "low": CHILD + SILENT, "third": SILENT}
    second = scenario(tmp_path, "two", answer=1000, **programs_of_two)
    options = arguments(tmp_path, first, second, modes=BRIEFLY)
    process = spawn(GIVEWAY, *options, stderr=subprocess.PIPE)
    # The bench ends the first program after the segment, for which all programs were started.
    assert eventually((tmp_path / "ended").exists, 60)
    programs = psutil.Process(process.pid).children(recursive=True)
    assert len(programs) >= 4  # what guards the programs, two programs, and the child of one
    return process, programs


def test_ctrl_c_leaves_no_process_and_keeps_what_was_measured(
    spawn: Spawner, tmp_path: Path
) -> None:
    process, programs = start(spawn, tmp_path)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"Results so far: {tmp_path / 'out'}" in err.splitlines()
    assert "Traceback" not in err
    assert all_gone(programs)
    found = result.read(tmp_path / "out")
    assert found["complete"] is False
    assert of(found, "one")["status"] == "measured"
    assert of(found, "two")["status"] == "incomplete"


def test_a_killed_bench_leaves_no_process_and_keeps_what_was_measured(
    spawn: Spawner, tmp_path: Path
) -> None:
    process, programs = start(spawn, tmp_path)
    process.kill()
    assert all_gone(programs)
    found = result.read(tmp_path / "out")
    assert found["complete"] is False
    assert of(found, "one")["status"] == "measured"
    assert of(found, "two")["status"] == "incomplete"


# Ends the bench inside `Popen`, when a program has started and the bench does not know it yet.
AT_THE_START = """
import os, signal, subprocess, sys
from giveway.cli import main

class Signalled(subprocess.Popen):
    def __init__(self, command, **options):
        super().__init__(command, **options)
        if "GIVEWAY_BENCH_FD" in (options.get("env") or {}):
            os.kill(os.getpid(), int(sys.argv[1]))

subprocess.Popen = Signalled
main(sys.argv[2:])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_program_starts_leaves_no_process(
    tmp_path: Path, giveway_dir: Path, number: signal.Signals
) -> None:
    options = arguments(tmp_path, scenario(tmp_path, "mine", SILENT), modes=BRIEFLY)
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_START, str(int(number)), *options],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == (130 if number == signal.SIGINT else -number), done.stderr
    assert "Traceback" not in done.stderr
    assert eventually(lambda: started_under(giveway_dir) == [])
