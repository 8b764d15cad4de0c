"""`giveway bench` as a user runs it: programs good and bad, and that nothing is left behind.

The programs are commands, or models of what stands in for torch; `test_torch.py` measures models of
torch's own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from giveway.report.load import load
from giveway.report.page import page
from giveway.results import result
from giveway.results.store import records_of
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.processes import all_gone, started_under
from tests.waiting import eventually

SERVE = """
import os, time
report = os.fdopen(int(os.environ["GIVEWAY_BENCH_FD"]), "w", buffering=1)
print("ready", file=report)
due = time.monotonic()
while True:
    time.sleep(max(0, due - time.monotonic()))
    time.sleep(0.002)
    print(f"done {time.monotonic() - due:.6f} 0.001", file=report)
    due += 0.01
"""
WORK = """
import os, time
report = os.fdopen(int(os.environ["GIVEWAY_BENCH_FD"]), "w", buffering=1)
print("ready", file=report)
while True:
    time.sleep(0.01)
    print("done 0.01", file=report)
"""
SILENT = """
import os, time
os.write(int(os.environ["GIVEWAY_BENCH_FD"]), b"ready\\n")
print("about to do nothing", flush=True)
time.sleep(1000)
"""
# With a child of its own, which is not to be left behind either.
CHILD = "import subprocess\nsubprocess.Popen(['sleep', '1000'])\n"


def scenario(folder: Path, name: str, high: str, low: str = WORK, answer: int = 60) -> str:
    text = f'title = "{name}"\nstart_timeout = 60\nanswer_timeout = {answer}\n'
    for number, (program, code) in enumerate((("high", high), ("low", low))):
        path = folder / f"{name}-{program}.py"
        path.write_text(code)
        command = json.dumps(["python3", str(path)])
        text += f'[[program]]\nname = "{program}"\npriority = {-number}\ncommand = {command}\n'
    text += '[[bar]]\nprogram = "high"\nfigure = "p50_ms"\nat_most = 1e6\nmode = "native"\n'
    path = folder / f"{name}.toml"
    path.write_text(text)
    return str(path)


def arguments(
    folder: Path, *scenarios: str, modes: str = "alone,native", repeats: int = 1
) -> list[str]:
    return [
        "bench", *scenarios, "--modes", modes, "--seconds", "0.5", "--repeats", str(repeats),
        "--device", "cpu", "--out", str(folder / "out"), "--anyway",
    ]  # fmt: skip


def of(found: result.Result, name: str) -> dict[str, Any]:
    return next(each for each in found["results"] if each["name"] == name)


def test_without_a_scenario_it_lists_them(giveway: Runner) -> None:
    done = giveway("bench")
    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names[0] == "SCENARIO"
    assert "dual" in names


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
    assert "PASS         p50_ms of high ≤ 1e+06" in done.stdout
    assert "1 passed, 0 failed" in done.stdout


def test_a_bar_that_fails_is_exit_code_1(giveway: Runner, tmp_path: Path) -> None:
    path = scenario(tmp_path, "mine", SERVE)
    Path(path).write_text(Path(path).read_text().replace("at_most = 1e6", "at_most = 0.001"))
    done = giveway(*arguments(tmp_path, path, modes="native", repeats=2))
    assert done.returncode == 1
    assert "FAIL         p50_ms of high" in done.stdout


def test_a_bar_that_is_not_shown_is_exit_code_9(giveway: Runner, tmp_path: Path) -> None:
    options = arguments(tmp_path, scenario(tmp_path, "mine", SERVE), modes="native", repeats=1)
    done = giveway(*options)
    assert done.returncode == 9
    assert "NOT SHOWN    p50_ms of high ≤ 1e+06" in done.stdout
    assert "(one round has no interval: increase --repeats)" in done.stdout
    assert "0 passed, 0 failed, 1 not shown, 0 not measured." in done.stdout


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
        [GIVEWAY, *arguments(folder, *scenarios)],
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


def start(spawn: Spawner, tmp_path: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A bench in its second scenario, which never ends, with all child processes."""
    first = scenario(tmp_path, "one", SERVE)
    second = scenario(tmp_path, "two", CHILD + SILENT, answer=1000)
    process = spawn(GIVEWAY, *arguments(tmp_path, first, second), stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("two: round 1"):
            break
    bench = psutil.Process(process.pid)
    # What guards the programs, a program and its child.
    assert eventually(lambda: len(bench.children(recursive=True)) == 3)
    return process, bench.children(recursive=True)


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
    assert of(found, "one")["bars"][0]["verdict"] == "NOT SHOWN"
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


SMALL = """
title = "Small models"

[[program]]
name = "high"
priority = 10
model = "squeezenet1_1"
arrivals = "poisson"
rate = 10
sizes = [{ image = 32 }]

[[program]]
name = "low"
model = "resnet18"
task = "train"
sizes = [{ batch = 1, image = 32 }]

[[bar]]
program = "high"
figure = "p99_ms"
at_most = 1e9
"""


@pytest.mark.usefixtures("light_torch")
def test_models_in_all_modes_of_a_cpu(
    spawn: Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHT_COMPUTES", "1")
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    modes = "alone,native,giveway,nice,mps"
    process = spawn(
        GIVEWAY, *arguments(tmp_path, str(path), modes=modes, repeats=2), stderr=subprocess.PIPE
    )
    _, err = process.communicate(timeout=200)
    assert process.returncode == 9, err
    small = of(result.read(tmp_path / "out"), "small")
    assert set(small["modes"]) == {"alone", "native", "giveway", "nice"}
    assert small["modes_not_measured"] == {"mps": "the device cpu does not support it"}
    for mode, programs in small["modes"].items():
        assert set(programs) == {"high", "low"}
        assert all(each["throughput"] > 0 for each in programs["low"]["rounds"])
        gated = mode == "giveway"
        if programs["low"]["not_measured"] is None:
            assert (programs["low"]["launches"] is not None) == gated
        assert (programs["low"]["preemption_latency_ms"] is not None) == gated
    gave_way = small["modes"]["giveway"]["low"]["preemption_latency_ms"]
    assert gave_way["closings"] > 0
    assert 0 <= gave_way["value"] <= gave_way["longest"]
    counts = {
        tuple(each["requests"] for each in programs["high"]["rounds"])
        for programs in small["modes"].values()
    }
    assert len(counts) == 1, "open loop: the same requests in every mode"
    (bar,) = small["bars"]
    assert bar["verdict"] == "NOT MEASURED"
    assert "needs 100" in bar["reason"] or "rounds do not count" in bar["reason"]
    native, gated = (
        each for each in records_of(tmp_path / "out", "small") if each["kind"] == "timeline"
    )
    assert (native["mode"], gated["mode"]) == ("native", "giveway")
    assert gated["spans"]["low"]
    states = {state for _, state in gated["states"]["low"]}
    assert states <= {"active", "held", "idle"}
    assert "active" in states


@pytest.mark.usefixtures("light_torch")
def test_a_sweep_over_loads_starts_its_programs_once(
    spawn: Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHT_COMPUTES", "1")
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    # Only native and giveway have timelines, which take longer than all else here.
    options = arguments(tmp_path, str(path), modes="giveway 10%")
    process = spawn(GIVEWAY, *options, "--load", "0.6,0.2", stderr=subprocess.PIPE)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 9, err  # the bar is of a mode that was not requested
    found = result.read(tmp_path / "out")
    assert [each["name"] for each in found["results"]] == ["small@0.2", "small@0.6"]
    assert [(each["family"], each["load"]) for each in found["results"]] == [
        ("small", 0.2), ("small", 0.6),
    ]  # fmt: skip
    slow, fast = (each["programs"]["high"] for each in found["results"])
    assert slow["size"] == fast["size"]
    assert fast["rate"] == pytest.approx(3 * slow["rate"], rel=0.01)
    assert slow["rate"] == pytest.approx(0.2 / (slow["service_ms"] / 1e3), rel=0.01)
    for each in found["results"]:
        assert set(each["modes"]) == {"giveway 10%"}
        segments = [one for one in records_of(tmp_path / "out", each["name"]) if "load" in one]
        gated = [one for one in segments if one["mode"] == "giveway 10%"][-1]["programs"]
        assert "launches" in gated["low"]
    assert "chart sweep" in page(load([tmp_path / "out"]))


STALLS = """
title = "A model that stalls"
answer_timeout = {answer}

[[program]]
name = "high"
model = "resnet18"
{arrivals}
environment = {{ LIGHT_STALL = "{stall}" }}

[[program]]
name = "low"
model = "resnet18"
"""


@pytest.mark.usefixtures("light_torch")
def test_a_stall_of_the_program_is_charged_to_all_that_were_due(
    giveway: Runner, tmp_path: Path
) -> None:
    path = tmp_path / "small.toml"
    # Fifty to ninety runs choose a size and a rate. One of the 80 requests that count is slow.
    arrivals = 'arrivals = "fixed"\nrate = 40'
    path.write_text(STALLS.format(answer=60, arrivals=arrivals, stall="110 0.5"))
    options = arguments(tmp_path, str(path), modes="native")
    options[options.index("--seconds") + 1] = "2"
    done = giveway(*options)
    assert done.returncode == 0, done.stderr
    first, *_ = (each for each in records_of(tmp_path / "out", "small") if "programs" in each)
    latencies = first["programs"]["high"]["latencies_us"]
    assert max(latencies) >= 500_000
    # Twenty were due meanwhile. One at a time, asked for after the last answer, there would be one.
    assert sum(latency > 50_000 for latency in latencies) >= 18


@pytest.mark.usefixtures("light_torch")
def test_a_model_that_stops_answering_is_named(
    giveway: Runner, giveway_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "small.toml"
    # Eleven runs choose its size, and it owes no answer within two seconds before it stalls.
    path.write_text(STALLS.format(answer=2, arrivals="", stall="30 1000"))
    done = giveway(*arguments(tmp_path, str(path)))
    assert done.returncode == 6
    assert "FAILED       high did not answer within" in done.stdout
    assert eventually(lambda: started_under(giveway_dir) == [])


def test_a_damaged_page_is_an_error_at_once(
    giveway: Runner, giveway_dir: Path, tmp_path: Path
) -> None:
    giveway_dir.mkdir(mode=0o700)
    (giveway_dir / "cpu.page").write_bytes(b"no page" * 100_000)
    (giveway_dir / "cpu.page").chmod(0o600)
    done = giveway(*arguments(tmp_path, scenario(tmp_path, "mine", SERVE)))
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("giveway: ")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["duel"], "no scenario 'duel'"),
        (["dual", "--modes", "alone,together"], "unknown mode 'together': there are alone, native"),
        (["dual", "--device", "nope"], "nope"),
        (["dual", "dual"], "two scenarios have the same name: dual, dual"),
        (["dual", "--seconds", "0"], "0"),
        (["dual", "--modes", "giveway 110%"], "unknown mode 'giveway 110%': there are alone, "),
        (["dual", "--load", "0.5,1.5"], "--load: '1.5' is not a share above 0 and below 1"),
        (["starve", "--load", "0.5"], "its urgent program high is saturating, and has no rate"),
        (["none.toml"], "cannot read the scenario none.toml"),
    ],
)
def test_wrong_arguments(giveway: Runner, options: list[str], says: str, tmp_path: Path) -> None:
    done = giveway("bench", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
    assert not list(tmp_path.glob("giveway-bench-*"))


def test_a_bad_scenario_file_is_one_line(giveway: Runner, tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL.replace("rate = 10", "rate = 0"))
    done = giveway(*arguments(tmp_path, str(path)))
    assert done.returncode == 2
    assert done.stderr == (
        f"giveway: {path}:9: rate: 0 is not allowed; allowed: a number above 0 of requests per "
        "second, or a table with such a value for cpu and for gpu\n"
    )
    trace = tmp_path / "trace.csv"
    trace.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:01:51.2639900,9,four\n"
    )
    path.write_text(SMALL.replace('"poisson"', '"trace"\ntrace = "trace.csv"'))
    done = giveway(*arguments(tmp_path, str(path)))
    assert done.returncode == 2
    assert done.stderr == (
        f"giveway: {trace}:2:31: expected a whole number of tokens, found 'four'\n"
    )


def test_bench_under_run_would_gate_its_ungated_programs(giveway: Runner, tmp_path: Path) -> None:
    path = scenario(tmp_path, "mine", SERVE)
    done = giveway("run", "--device", "cpu", "--", GIVEWAY, *arguments(tmp_path, path))
    assert done.returncode == 2
    assert "without giveway run" in done.stderr


def test_a_result_is_not_overwritten(giveway: Runner, tmp_path: Path) -> None:
    options = arguments(tmp_path, scenario(tmp_path, "mine", SERVE))
    assert giveway(*options).returncode == 9
    before = os.stat(tmp_path / "out" / "run.json").st_mtime_ns
    done = giveway(*options)
    assert done.returncode == 2
    assert "already holds a result" in done.stderr
    assert os.stat(tmp_path / "out" / "run.json").st_mtime_ns == before
