"""Packed results, and all figures as JSON, as a user has them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from giveway.results import archive
from tests.conftest import Runner
from tests.unit import report_examples
from tests.unit.report_examples import noisy

EXAMPLE = Path(__file__).parents[1] / "data" / "bench-result"
COMMANDS = (["report", ".", "--markdown"], ["compare", "old", "slower", "--all"])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, in the second of which requests take longer."""
    folder = tmp_path_factory.mktemp("results") / "plain"
    report_examples.run(folder / "old", {"dual": noisy(1)})
    report_examples.run(folder / "slower", {"dual": noisy(2, slower=1.6)})
    return folder


@pytest.fixture(scope="module")
def packed(plain: Path) -> Path:
    """The same, packed by ``tar``."""
    folder = plain.parent
    names = sorted(os.listdir(plain))
    subprocess.run(["tar", "-cJf", folder / archive.NAME, *names], cwd=plain, check=True)
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=["report", "compare"])
def test_packed_results_are_what_they_were(
    giveway: Runner, plain: Path, packed: Path, command: list[str]
) -> None:
    one, other = (giveway(*command, cwd=where) for where in (packed, plain))
    assert one.stdout.count("\n") > 5
    assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, "")


def test_a_packed_run_is_simulated(giveway: Runner, packed: Path) -> None:
    done = giveway("simulate", "old", "--duration", "5s", cwd=packed)
    assert (done.returncode, done.stderr) == (0, "")
    # A second of it warms up.
    assert done.stdout.startswith("old: 4 s on 1 device")


def test_all_figures_as_json(giveway: Runner, packed: Path) -> None:
    done = giveway("report", "old", str(EXAMPLE), "--json", cwd=packed)
    assert (done.returncode, done.stderr) == (0, "")
    old, example = json.loads(done.stdout)["runs"]
    assert (old["folder"], example["folder"]) == ("old", str(EXAMPLE))
    assert old["results"][0]["modes"]["giveway"]["high"]["p99_ratio"]["value"] > 0


def test_a_damaged_archive_is_one_line(giveway: Runner, packed: Path, tmp_path: Path) -> None:
    content = (packed / archive.NAME).read_bytes()
    (tmp_path / archive.NAME).write_bytes(content[:-1])
    for command in (*COMMANDS, ["simulate", "old"]):
        done = giveway(*command, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"giveway: {archive.NAME} is damaged: the archive is truncated\n"
