"""The folder of a run is readable after any end of the run, and refused with another schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from giveway.bench.header import header
from giveway.errors import GivewayError, UsageError
from giveway.results import result, store
from tests.unit.bench_records import SCENARIO, SETTINGS, records

DATA = Path(__file__).parents[1] / "data" / "bench-result"


def write(folder: Path, lines: int | None = None) -> None:
    kept = store.Store(folder, header(SETTINGS, [SCENARIO, replace(SCENARIO, name="never")]))
    record = kept.recorder("dual")
    for each in records()[:lines]:
        record(each)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    write(folder)
    found = result.read(folder)
    assert store.records_of(folder, "dual") == records()
    assert [each["status"] for each in found["results"]] == ["measured", "not started"]
    assert found["complete"] is False
    assert sorted(path.name for path in folder.iterdir()) == ["dual.jsonl", "run.json"]


@pytest.mark.parametrize("cut", [1, 10, 200, 500])
def test_a_half_written_line_is_left_out(tmp_path: Path, cut: int) -> None:
    write(tmp_path / "run", lines=9)
    path = tmp_path / "run" / "dual.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert store.records_of(tmp_path / "run", "dual") == records()[: 9 if cut == 1 else 8]
    (dual, _) = result.read(tmp_path / "run")["results"]
    assert dual["status"] == "incomplete"
    assert dual["modes"]["alone"]["high"]["requests"] == 200


def test_another_schema_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 7}))
    with pytest.raises(UsageError, match=r"has schema 7; this version of giveway reads schema 1"):
        result.read(tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged: not an object"),
        ("{}", "is not a result of giveway bench"),
        ('{"kind": "giveway bench", "schema": 1, "date": ""}', "is damaged: device, machine"),
        ("[" * 100_000, "is damaged: maximum recursion"),
        (None, "has no result of giveway bench"),
    ],
)
def test_what_is_no_result_is_said(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError, match=says):
        result.read(tmp_path)


@pytest.mark.parametrize("line", ['{"no": "kind"}', "[]", '{"kind": "scenario"}', "7"])
def test_a_record_of_something_else_is_said(tmp_path: Path, line: str) -> None:
    write(tmp_path / "run", lines=0)
    (tmp_path / "run" / "dual.jsonl").write_text(line + "\n")
    with pytest.raises(UsageError, match="run is damaged: "):
        result.read(tmp_path / "run")


@pytest.mark.parametrize("key", ["date", "device", "machine", "versions", "settings"])
def test_a_header_of_wrong_types_is_damaged(tmp_path: Path, key: str) -> None:
    write(tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: 7}))
    with pytest.raises(UsageError, match=rf"run\.json is damaged: {key} has the wrong type"):
        result.read(tmp_path / "run")


@pytest.mark.parametrize("names", [["../../secret"], ["/etc/secret"], [""], [7], "dual", None])
def test_a_scenario_is_not_looked_for_elsewhere(tmp_path: Path, names: object) -> None:
    write(tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scenarios": names}))
    with pytest.raises(UsageError, match=r"run\.json is damaged: "):
        result.read(tmp_path / "run")


def test_a_result_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "run")
    with pytest.raises(UsageError, match="already holds a result"):
        write(tmp_path / "run")


@pytest.mark.parametrize("name", ["file/folder", "x" * 300])
def test_a_folder_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GivewayError, match="cannot write into"):
        write(tmp_path / name)


def test_an_older_result_can_be_read() -> None:
    """It is of schema 1. Another program took the cores: its batches took a second, not 16 ms."""
    found = result.read(DATA)
    assert found["schema"] == 1
    assert [each["status"] for each in found["results"]] == ["measured", "failed"]
    high = found["results"][0]["modes"]["giveway"]["high"]
    assert [each["p50_ms"] for each in high["rounds"]] == [3.952, 3.4883, 11.492]
    assert high["p50_ms"] is None
    assert high["not_measured"].startswith("3 of 3 rounds do not count: high alone took 3.4 times")
