"""``giveway report`` and ``giveway compare`` as a user runs them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Runner
from tests.unit import report_examples
from tests.unit.report_examples import noisy

EXAMPLE = Path(__file__).parents[1] / "data" / "bench-result"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two that are the same, and one in which requests take longer."""
    folder = tmp_path_factory.mktemp("made")
    report_examples.run(folder / "old", {"dual": noisy(1)})
    report_examples.run(folder / "same", {"dual": noisy(2)})
    report_examples.run(folder / "slower", {"dual": noisy(3, slower=1.6)})
    return folder


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    """A copy of the result that one test may change."""
    shutil.copytree(made, tmp_path / "results")
    return tmp_path / "results"


def test_report_writes_a_page(giveway: Runner, results: Path) -> None:
    done = giveway("report", str(results / "old"), cwd=results)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    html = (results / "report.html").read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert "giveway helped" in html


def test_report_to_stdout_and_as_markdown(giveway: Runner, results: Path) -> None:
    html = giveway("report", str(results / "old"), str(EXAMPLE), "-o", "-").stdout
    assert html.rstrip().endswith("</html>")
    done = giveway("report", str(results / "old"), "--markdown")
    assert done.returncode == 0
    assert done.stdout.startswith("**giveway helped")
    giveway("report", str(results / "old"), "--markdown", "-o", str(results / "r.md"))
    assert (results / "r.md").read_text() == done.stdout


def test_report_of_the_timelines_alone(giveway: Runner, results: Path) -> None:
    done = giveway("report", str(results / "old"), "--perfetto")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["traceEvents"]
    both = giveway("report", str(results / "old"), "--perfetto", "--markdown")
    assert (both.returncode, both.stdout) == (2, "")
    assert "use one of them" in both.stderr


def test_report_refuses_what_it_cannot_read_or_write(giveway: Runner, results: Path) -> None:
    def said(*arguments: str) -> tuple[int, str]:
        done = giveway("report", *arguments)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        return done.returncode, done.stderr

    code, error = said(str(results / "nowhere"))
    assert (code, "is neither a folder" in error) == (2, True)
    (results / "empty").mkdir()
    code, error = said(str(results / "empty"))
    assert (code, "no result of giveway bench" in error) == (2, True)
    code, error = said(str(results / "old"), "-o", str(results / "no" / "page.html"))
    assert (code, "cannot write" in error) == (1, True)
    header = json.loads((results / "old" / "run.json").read_text())
    (results / "old" / "run.json").write_text(json.dumps(header | {"schema": 9}))
    code, error = said(str(results / "old"))
    assert code == 2
    assert "schema 9" in error
    assert "schema 1" in error


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("run.json", r'"date": "[^"]*"', '"date": "x"'),
        ("dual.jsonl", r'"title": ?"[^"]*"', '"title":["x"]'),
    ],
)
def test_damage_inside_a_result_is_one_line(
    giveway: Runner, results: Path, file: str, old: str, new: str
) -> None:
    path = results / "old" / file
    text, count = re.subn(old, new, path.read_text())
    assert count
    path.write_text(text)
    done = giveway("report", str(results / "old"), "-o", "-")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"giveway: {results / 'old'} is damaged: ")


def test_compare_says_what_moved(giveway: Runner, results: Path) -> None:
    done = giveway("compare", str(results / "old"), str(results / "slower"))
    assert (done.returncode, done.stderr) == (1, "")
    assert "WORSE" in done.stdout
    assert "high     p50" in done.stdout
    assert "low " not in done.stdout
    assert "3 worse, 0 better, 1 not moved beyond noise." in done.stdout


def test_compare_of_two_alike(giveway: Runner, results: Path) -> None:
    done = giveway("compare", str(results / "old"), str(results / "same"))
    assert (done.returncode, done.stdout) == (0, "0 worse, 0 better, 4 not moved beyond noise.\n")
    done = giveway("compare", str(results / "old"), str(results / "same"), "--all")
    assert len(done.stdout.splitlines()) == 6
    assert max(map(len, done.stdout.splitlines())) <= 90


def test_compare_as_json(giveway: Runner, results: Path) -> None:
    done = giveway("compare", str(results / "old"), str(results / "slower"), "--json")
    assert done.returncode == 1
    value = json.loads(done.stdout)
    assert value["regressed"] is True
    assert [each["moved"] for each in value["changes"]] == ["worse"] * 3 + ["no"]


def test_compare_refuses_another_schema(giveway: Runner, results: Path) -> None:
    shutil.copytree(results / "old", results / "newer")
    header = json.loads((results / "newer" / "run.json").read_text())
    (results / "newer" / "run.json").write_text(json.dumps(header | {"schema": 7}))
    done = giveway("compare", str(results / "old"), str(results / "newer"))
    assert done.returncode == 2
    assert "has schema 7; this version of giveway reads schema 1 and 2" in done.stderr
    assert giveway("compare", str(results / "old"), str(results / "nowhere")).returncode == 2
