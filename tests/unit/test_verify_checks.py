"""The list of checks, and which of them apply."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from giveway.errors import UsageError
from giveway.verify import check, seen
from giveway.verify.check import Check


def test_the_list_has_every_check_once() -> None:
    checks = [each for _, each in check.builtin()]
    names = [each.name for each in checks]
    assert len(set(names)) == len(names)
    counts = {phase: sum(each.phase == phase for each in checks) for phase in check.PHASES}
    assert counts == {"1": 3, "2": 7, "3": 14, "extra": 9}
    assert [each.phase for each in checks] == sorted(
        (each.phase for each in checks), key=check.PHASES.index
    )


def a_check(**options: object) -> Check:
    given = {"name": "x", "phase": "1", "title": "", "run": lambda _: 1} | options
    return Check(**given)  # type: ignore[arg-type]


def test_why_a_check_does_not_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    assert a_check().inapplicable("cpu") is None
    assert (
        a_check(devices=("cuda", "hip")).inapplicable("cpu") == "not on cpu, only on cuda and hip"
    )
    assert a_check(modules=("nothing",)).inapplicable("cpu") == "no nothing"
    assert a_check(gpu_modules=("nothing",)).inapplicable("cpu") is None
    assert a_check(gpu_modules=("nothing",)).inapplicable("cuda") == "no nothing"
    monkeypatch.setenv("PATH", "/nowhere")
    compilers = a_check(programs={"cpu": ("g++", "clang++")})
    assert compilers.inapplicable("cpu") == "no g++ or clang++ on PATH"
    assert compilers.inapplicable("cuda") is None


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("", "has no CHECKS"),
        ("1 / 0", "ZeroDivisionError"),
        ("CHECKS = [check('a/b')]", "'a/b' is not a valid name"),
        ("CHECKS = [check('a'), check('a')]", "two checks have it"),
        ("CHECKS = [check('a', phase='4')]", "phase '4'"),
    ],
)
def test_files_of_checks_that_cannot_be_right(tmp_path: Path, code: str, says: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from giveway.verify.check import Check\n"
        "def check(name, phase='1'):\n"
        "    return Check(name=name, phase=phase, title='', run=print)\n" + code
    )
    with pytest.raises(UsageError, match=says):
        check.from_source(str(path))


def trace(folder: Path, number: int, calls: dict[str, int], **task: object) -> None:
    known = {"device": "GPU-1", "name": "t", "priority": 0, "launches": 5, "operators": 2}
    known |= {"holds": 1, "held_ns": 500_000_000, "preemptions": 0} | task
    process = {"pid": number, "name": "t", "tasks": [known]}
    if calls:
        process |= {"calls": calls, "bytes": {"allocated": 9, "freed": 8, "peak": 7}}
        process["kernels"] = [{"name": "gemm", "launches": 3}, {"name": "gemm", "launches": 1}]
    (folder / f"{number}.json").write_text(json.dumps(process))


def test_what_was_seen_is_the_sum_over_the_processes(tmp_path: Path) -> None:
    for number in (1, 2):
        trace(tmp_path, number, {"launches": 3, "legacy_launches": 1, "copies": 4, "frees": 2})
    saw = seen.read(tmp_path, "cuda")
    assert (saw.processes, saw.launches, saw.null_stream, saw.copies, saw.frees) == (2, 8, 2, 8, 4)
    assert (saw.peak_bytes, saw.kernels, saw.operators) == (14, ("gemm",), None)
    assert (saw.holds, saw.held_seconds) == (2, 1.0)


def test_the_cpu_has_launches_and_operators_only(tmp_path: Path) -> None:
    trace(tmp_path, 1, {}, name="a", priority=3)
    saw = seen.read(tmp_path, "cpu")
    assert (saw.launches, saw.operators, saw.tasks) == (5, 2, (("a", 3),))
    assert saw.null_stream is saw.copies is saw.peak_bytes is None
