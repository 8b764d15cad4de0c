"""What `giveway bench` says about its command line, and its exit codes."""

from __future__ import annotations

import os
from pathlib import Path

from giveway.results import result
from tests.conftest import GIVEWAY, Runner
from tests.system.bench_programs import BRIEFLY, SERVE, SMALL, arguments, scenario


def test_without_a_scenario_it_lists_them(giveway: Runner) -> None:
    done = giveway("bench")
    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names[0] == "SCENARIO"
    assert "dual" in names


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


def test_a_mode_that_the_user_names_is_refused_before_anything_starts(
    giveway: Runner, tmp_path: Path
) -> None:
    path = scenario(tmp_path, "mine", SERVE)
    done = giveway(*arguments(tmp_path, path, modes="alone,mps"))
    assert done.returncode == 2
    assert done.stderr == (
        "giveway: mine cannot be measured in the mode mps: the device cpu does not support it; "
        "choose other --modes\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_mode_that_the_user_names_is_measured_whatever_the_scenario_says(
    giveway: Runner, tmp_path: Path
) -> None:
    path = Path(scenario(tmp_path, "mine", SERVE))
    path.write_text('modes = ["native", "giveway 10%"]\n' + path.read_text())
    done = giveway(*arguments(tmp_path, str(path), modes="nice"))
    assert done.returncode == 9, done.stderr
    assert "Not measured" not in done.stdout
    (mine,) = result.read(tmp_path / "out")["results"]
    assert set(mine["modes"]) == {"nice"}


def test_a_scenario_none_of_whose_modes_can_be_measured_is_refused(
    giveway: Runner, tmp_path: Path
) -> None:
    path = Path(scenario(tmp_path, "mine", SERVE))
    path.write_text('modes = ["mps", "streams"]\n' + path.read_text())
    for more, says in (
        ((), "cannot be measured in the mode streams: the device cpu does not support it"),
        (("--quick",), "has no mode of --quick (alone, native, giveway)"),
    ):
        out = ("--out", str(tmp_path / "out"))
        done = giveway("bench", str(path), "--device", "cpu", "--anyway", *out, *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"giveway: mine {says}; choose ")
        assert not (tmp_path / "out").exists()


def test_a_damaged_page_is_an_error_at_once(
    giveway: Runner, giveway_dir: Path, tmp_path: Path
) -> None:
    giveway_dir.mkdir(mode=0o700)
    (giveway_dir / "cpu.page").write_bytes(b"no page" * 100_000)
    (giveway_dir / "cpu.page").chmod(0o600)
    done = giveway(*arguments(tmp_path, scenario(tmp_path, "mine", SERVE)))
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("giveway: ")


def test_a_result_is_not_overwritten(giveway: Runner, tmp_path: Path) -> None:
    options = arguments(tmp_path, scenario(tmp_path, "mine", SERVE), modes=BRIEFLY)
    assert giveway(*options).returncode == 9  # the bar is of another mode
    before = os.stat(tmp_path / "out" / "run.json").st_mtime_ns
    done = giveway(*options)
    assert done.returncode == 2
    assert "already holds a result" in done.stderr
    assert os.stat(tmp_path / "out" / "run.json").st_mtime_ns == before


def test_a_bar_that_fails_is_exit_code_1(giveway: Runner, tmp_path: Path) -> None:
    path = scenario(tmp_path, "mine", SERVE)
    Path(path).write_text(Path(path).read_text().replace("at_most = 1e6", "at_most = 0.001"))
    done = giveway(*arguments(tmp_path, path, modes="native", repeats=2))
    assert done.returncode == 1
    assert "FAIL         max_ms of high" in done.stdout


def test_a_bar_that_is_not_shown_is_exit_code_9(giveway: Runner, tmp_path: Path) -> None:
    path = scenario(tmp_path, "mine", SERVE)
    Path(path).write_text(Path(path).read_text().replace("max_ms", "p50_ms"))
    done = giveway(*arguments(tmp_path, path, modes="native", repeats=1))
    assert done.returncode == 9
    assert "NOT SHOWN    p50_ms of high ≤ 1e+06" in done.stdout
    assert "(one round has no interval: increase --repeats)" in done.stdout
    assert "0 passed, 0 failed, 1 not shown, 0 not measured." in done.stdout
