"""The table at the end of `make coverage`."""

from __future__ import annotations

from pathlib import Path

from tools import coverage_table

ROOT = Path("/project")


def gcov(file: str, counts: dict[int, int]) -> dict[str, object]:
    lines = [{"line_number": line, "count": count} for line, count in counts.items()]
    return {"files": [{"file": file, "lines": lines}]}


def test_a_line_has_run_if_it_did_in_any_object() -> None:
    hooks = "./native/gpu/hooks.c"
    reports = [gcov(hooks, {1: 0, 2: 0, 3: 5}), gcov(hooks, {1: 7, 2: 0, 3: 0})]
    lines = coverage_table.c_lines(reports, ROOT)
    assert lines == {"native/gpu/hooks.c": {1: True, 2: False, 3: True}}


def test_headers_of_the_system_and_tests_do_not_count() -> None:
    files = ("/usr/include/stdlib.h", "./native/tests/gate/test_gate.c", "build/native/gpu/hooks.c")
    assert coverage_table.c_lines([gcov(file, {1: 1}) for file in files], ROOT) == {}


def test_lines_add_up_by_part() -> None:
    report = {
        "files": {
            "src/giveway/cli/ps.py": {"executed_lines": [1, 2], "missing_lines": [3]},
            "src/giveway/cli/top.py": {"executed_lines": [1], "missing_lines": []},
            "src/giveway/page/observer.py": {"executed_lines": [], "missing_lines": [1, 2]},
        }
    }
    parts = coverage_table.count(coverage_table.python_lines(report))
    assert parts == {"src/giveway/cli": (3, 4), "src/giveway/page": (0, 2)}
    shown = list(coverage_table.table(parts, {"native/gate": (1, 3)}))
    assert "| **all Python** | 3 | 6 | 50.0% |" in shown
    assert "| native/gate | 1 | 3 | 33.3% |" in shown
