"""The folders in results/ are packed and small, and their figures follow from the raw records."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from giveway.results import archive
from tools import figures, pack_results

FOLDERS = pack_results.folders()
KEPT = {"README.md", "figures.json", archive.NAME}
MAX_BYTES = 3 << 20

pytestmark = pytest.mark.skipif(not FOLDERS, reason="source distributions have no results")
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=[each.name for each in FOLDERS])


def test_nothing_else_is_kept() -> None:
    entries = {each for each in pack_results.RESULTS.iterdir() if each.name != "local"}
    assert entries - {*FOLDERS} == {pack_results.RESULTS / "INDEX.md"}
    for folder in FOLDERS:
        assert {each.name for each in folder.iterdir()} == KEPT, folder.name
    files = [each for folder in FOLDERS for each in folder.iterdir()]
    assert sum(each.stat().st_size for each in files) < MAX_BYTES


def test_the_index_is_of_what_there_is() -> None:
    index = (pack_results.RESULTS / "INDEX.md").read_text(encoding="utf-8")
    assert index == pack_results.index()


@each_folder
def test_a_page_is_short_and_a_figure_is_whole(folder: Path) -> None:
    for name in ("README.md", "figures.json"):
        assert (folder / name).stat().st_size <= pack_results.MAX_PAGE_BYTES
    document = pack_results.read(folder)
    assert set(document) == {*pack_results.HEAD, "figures"}
    names = [each["name"] for each in document["figures"]]
    assert len(set(names)) == len(names)
    for each in document["figures"]:
        assert {"name", "value", "unit", "what", "from"} <= set(each), each


@each_folder
def test_nothing_derived_is_packed(folder: Path) -> None:
    places = [folder, *archive.folders(folder)]
    places += [inner for place in places[1:] for inner in archive.folders(place)]
    names = [path.name for place in places for path in archive.files(place)]
    assert names
    assert not {"result.json", "report.html"} & set(names)


@each_folder
def test_a_figure_is_what_the_raw_records_say(folder: Path) -> None:
    document = pack_results.read(folder)
    again = pack_results.updated(folder, document)
    for figure, computed in zip(document["figures"], again["figures"], strict=True):
        assert computed == figure
    assert pack_results.text(document) == (folder / "figures.json").read_text(encoding="utf-8")


@each_folder
def test_a_figure_that_was_noted_by_hand_is_in_the_page(folder: Path) -> None:
    page = (folder / "README.md").read_text(encoding="utf-8")
    numbers = {float(each) for each in re.findall(r"\d+(?:\.\d+)?", page)}
    for figure in pack_results.read(folder)["figures"]:
        if figure["from"] == figures.BY_HAND:
            scale = 100 if figure["unit"] == "share" else 1
            assert round(scale * figure["value"], 6) in numbers, figure["name"]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "a-1.json").write_text(json.dumps({"x": {"p": [1, 2, 4], "q": [1, 1, 2]}, "y": 3}))
    (tmp_path / "a-2.json").write_text(json.dumps({"y": 5.00000049}))
    (tmp_path / "b.txt").write_text("one: 1.5 by 2\ntwo: 2.5\n")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a-1.json: y", 3),
        ("a-1.json: x.p.1", 2),
        ("a-1.json: x.p.p50", 2),
        ("a-1.json: x.p.p99", 4),
        ("a-1.json: x.p.2 by x.q.2", 2),
        ("a-1.json: x.p.0 less y", -2),
        ("each of a-1.json: x.p.* by x.q.*", [1, 2, 2]),
        ("each of a-1.json: x.p.* by y", [0.333333, 0.666667, 1.33333]),
        ("each of a-1.json: x.p.0 and x.p.2", [1, 4]),
        ("each of a-*.json: y", [3, 5]),
        ("ones of a-1.json: x.p.* by x.q.*", 1),
        ("median of a-1.json: x.*.*", 1.5),
        ("geometric mean of a-1.json: x.p.*", 2),
        ("b.txt: two: ([\\d.]+)", 2.5),
        ("sum of b.txt: : ([\\d.]+)", 4),
    ],
)
def test_what_a_figure_may_be_from(raw: Path, source: str, value: object) -> None:
    assert figures.compute(raw, source) == {"value": value}


def test_a_figure_of_zero_keeps_its_value_and_its_interval(tmp_path: Path) -> None:
    none = {"value": 0.0, "interval": [0.0, 0.05]}
    once = {"value": 0.0, "interval": None}
    (tmp_path / "a.json").write_text(json.dumps({"none": none, "once": once}))
    assert figures.compute(tmp_path, "a.json: none") == none
    assert figures.compute(tmp_path, "a.json: once") == {"value": 0.0}


def test_an_estimate_is_over_rounds(raw: Path) -> None:
    found = figures.compute(raw, "estimate of a-1.json: x.p.* by x.q.*")
    assert found["value"] == 2
    assert found["interval"][0] < 1 < 2 < found["interval"][1]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("a-1.json: x.p.*", ValueError),
        ("a-1.json: z", KeyError),
        ("a-3.json: y", FileNotFoundError),
        ("b.txt: three: (.*)", ValueError),
        ("each of a-1.json: x.p.* by x.*.0", ValueError),
    ],
)
def test_a_figure_from_nothing_is_an_error(raw: Path, source: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        figures.compute(raw, source)
