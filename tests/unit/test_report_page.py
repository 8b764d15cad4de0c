"""The page and the Markdown are complete and valid, and text of a result never becomes markup."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest

from giveway.errors import UsageError
from giveway.report import headline, words
from giveway.report.load import load
from giveway.report.markdown import markdown
from giveway.report.page import page
from tests.unit import bench_records, report_examples
from tests.unit.report_examples import failed, noisy, renamed

EXAMPLE = Path(__file__).parents[1] / "data" / "bench-result"
HOSTILE = "<script>alert(1)</script>&\"'"


def parsed(html: str) -> ET.Element:
    """The page, which is well-formed XML too."""
    first, _, rest = html.partition("\n")
    assert first == "<!DOCTYPE html>"
    return ET.fromstring(rest)


def words_of(element: ET.Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("everything")
    report_examples.run(
        folder,
        {
            "dual": noisy(1),
            "two": renamed(noisy(2, slower=4.6), "two"),
            "broken": renamed(failed(last=[HOSTILE]), "broken", title=HOSTILE),
        },
    )
    report_examples.verify(folder)
    return folder


def test_the_page_is_whole(everything: Path) -> None:
    tree = parsed(page(load([everything])))
    assert re.fullmatch(
        r"giveway helped in 1 of 2 scenarios: the p99 of the urgent program was "
        r"1\.\d\d to 5\.\d\d × its time alone with giveway, \d\.\d\d to \d\.\d\d × without\.",
        words_of(tree.find("./body/header/h1")),
    )
    assert len(tree.findall(".//figure[@class='chart cdf']")) == 2
    assert len(tree.findall(".//figure[@class='chart bars']")) == 2
    assert len(tree.findall(".//figure[@class='chart timeline']")) == 2
    assert len(tree.findall(".//figure[@class='chart overview']")) == 1
    text = words_of(tree.find("body"))
    assert "high ended with exit code 1" in text
    assert "output 0 differs in 3 of 10 values" in text
    assert "1 of 2 checks passed on cpu" in text
    assert "some CPU, 2 cores" in text


def test_one_round_is_no_plural() -> None:
    assert words.rounds({"repeats": 1, "seconds": 0.5}) == "1 round of 0.5 s"
    assert words.rounds({"repeats": 3, "seconds": 10.0}) == "3 rounds of 10 s"


@pytest.mark.parametrize(
    ("interval", "says"),
    [([79, 240], "152\u00a0× (79–240)"), ([0.03, 21], "152\u00a0× (0.03–21)"),
     ([0.00001, 2.9e9], "152\u00a0× (too few rounds)")],
)  # fmt: skip
def test_an_interval_of_many_orders_of_magnitude_is_too_few_rounds(
    interval: list[float], says: str
) -> None:
    assert words.ratio({"value": 152.0, "interval": interval}) == says


def test_a_result_that_is_found_twice_counts_once(everything: Path) -> None:
    once, twice = load([everything]), load([everything, everything])
    assert (len(twice.runs), len(twice.verifies)) == (len(once.runs), len(once.verifies))


def test_the_page_is_valid_and_accessible(everything: Path) -> None:
    tree = parsed(page(load([everything])))
    identifiers = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(identifiers) == len(set(identifiers))
    assert all(each is not None and not re.search(r"\s", each) for each in identifiers)
    for table in tree.iter("table"):
        assert words_of(table.find("caption"))
        columns = table.findall("./thead/tr/th")
        assert all(each.get("scope") == "col" for each in columns)
        for row in table.findall("./tbody/tr"):
            assert row[0].tag == "th"
            assert row[0].get("scope") == "row"
            assert len(row) == len(columns)
    pictures = tree.findall(".//svg[@role='img']")
    assert pictures
    assert all(each.get("aria-label") for each in pictures)
    links = {each.get("href", "") for each in tree.iter("a")}
    assert {each[1:] for each in links if each.startswith("#")} <= set(identifiers)
    # Headings go down one level at a time.
    levels = [int(each.tag[1]) for each in tree.iter() if re.fullmatch(r"h\d", each.tag)]
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_the_page_needs_nothing_else(everything: Path) -> None:
    html = page(load([everything]))
    tree = parsed(html)
    assert not list(tree.iter("script"))
    for each in tree.iter():
        for name in ("href", "src"):
            assert each.get(name, "#").startswith(("#", "data:"))
        assert not [key for key in each.keys() if key.startswith("on")]  # noqa: SIM118
    assert "url(http" not in html
    assert "@import" not in html
    policy = tree.find(".//meta[@http-equiv='Content-Security-Policy']")
    assert policy is not None
    assert (policy.get("content") or "").startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_nothing_of_a_result_is_markup(everything: Path) -> None:
    html = page(load([everything]))
    assert "<script" not in html
    assert HOSTILE in words_of(parsed(html).find(".//pre"))


def test_the_raw_numbers_are_in_the_page(everything: Path) -> None:
    links = [each for each in parsed(page(load([everything]))).iter("a") if each.get("download")]
    found = {}
    for each in links:
        kind, _, data = (each.get("href") or "").partition(";base64,")
        assert kind in ("data:application/json", "data:application/jsonl")
        found[each.get("download")] = base64.b64decode(data)
    name = everything.name
    assert set(found) == {
        f"{name}-{each}"
        for each in ("run.json", "dual.jsonl", "two.jsonl", "broken.jsonl",
                     "verify.json")
    }  # fmt: skip
    assert found[f"{name}-dual.jsonl"] == (everything / "dual.jsonl").read_bytes()


def test_a_run_that_was_killed_is_still_a_page(tmp_path: Path) -> None:
    half = noisy(1)[:8]
    folder = report_examples.run(tmp_path / "half", {"dual": half, "train": None})
    with (folder / "dual.jsonl").open("a") as file:
        file.write('{"kind":"segment","mode":"gi')
    text = words_of(parsed(page(load([folder]))).find("body"))
    assert "The run in half was not finished" in text
    assert "the run was not finished" in text
    assert "Not started." in text
    assert "not finished" in markdown(load([folder]))


@pytest.mark.parametrize("count", range(1, 14))
def test_a_page_of_any_beginning_of_a_run(tmp_path: Path, count: int) -> None:
    folder = report_examples.run(tmp_path / "half", {"dual": noisy(1)[:count]})
    parsed(page(load([folder])))
    markdown(load([folder]))


def test_a_header_alone_is_a_page(tmp_path: Path) -> None:
    folder = report_examples.run(tmp_path / "none", {"dual": None})
    assert "was not measured" in words_of(parsed(page(load([folder]))).find(".//h1"))


def test_a_scenario_without_its_raw_records_was_not_started(tmp_path: Path) -> None:
    folder = report_examples.run(tmp_path / "sum", {"dual": noisy(1)})
    (folder / "dual.jsonl").unlink()
    tree = parsed(page(load([folder])))
    assert "Not started." in words_of(tree.find("body"))
    assert tree.find(".//figure[@class='chart cdf']") is None


def test_verify_alone_is_a_page(tmp_path: Path) -> None:
    report_examples.verify(tmp_path)
    assert words_of(parsed(page(load([tmp_path]))).find(".//h1")) == (
        "Not every check computed the same under giveway."
    )


def test_folders_in_a_folder_and_several(tmp_path: Path) -> None:
    report_examples.run(tmp_path / "all" / "cpu", {"dual": noisy(1)})
    report_examples.verify(tmp_path / "all" / "checks")
    report_examples.run(tmp_path / "gpu", {"dual": noisy(2)})
    found = load([tmp_path / "all", tmp_path / "gpu"])
    assert [run.folder.name for run in found.runs] == ["cpu", "gpu"]
    assert len(found.verifies) == 1
    assert "in both scenarios" in headline.sentence(found)
    tree = parsed(page(found))
    identifiers = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(identifiers) == len(set(identifiers))


def test_the_committed_example(tmp_path: Path) -> None:
    tree = parsed(page(load([EXAMPLE])))
    # Other programs used the machine, and the page once said that giveway helped.
    assert words_of(tree.find(".//h1")).startswith(
        "Whether giveway helps was not measured: alone, 3 of 3 rounds do not count: high"
    )
    assert len(tree.findall(".//figure[@class='chart timeline']")) == 2


def test_a_loss_is_admitted(tmp_path: Path) -> None:
    folder = report_examples.run(tmp_path, {"dual": noisy(1, slower=9)})
    assert headline.sentence(load([folder])).startswith("giveway made it worse")


def test_no_folder_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is neither a folder"):
        load([tmp_path / "nowhere"])
    with pytest.raises(UsageError, match="has no result of giveway bench"):
        load([tmp_path])


def test_a_result_of_verify_may_be_said_itself(tmp_path: Path) -> None:
    report_examples.verify(tmp_path / "checks", lambda value: None)
    file = tmp_path / "checks" / "verify.json"
    assert [each.path for each in load([file]).verifies] == [file]
    file.write_text("{}")
    with pytest.raises(UsageError, match="has no result of giveway bench"):
        load([file])


def test_another_schema_is_refused_with_both_versions(tmp_path: Path) -> None:
    report_examples.run(tmp_path / "run", {"dual": None}, schema=7)
    with pytest.raises(UsageError, match=r"schema 7.*reads schema 1 and 2"):
        load([tmp_path])
    report_examples.verify(tmp_path / "checks", lambda value: value.update(schema=3))
    with pytest.raises(UsageError, match=r"verify.json.*schema 3.*reads schema 1"):
        load([tmp_path / "checks"])


def test_markdown_is_of_tables(everything: Path) -> None:
    text = markdown(load([everything]))
    assert text.startswith("**giveway helped in 1 of 2 scenarios")
    assert "| p99 of high ≤ 1.3 × alone |" in text
    assert "| MLP \\<wide\\> | failed | output 0 differs in 3 of 10 values |" in text
    assert "<script>" not in text.replace("\\<", "")
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) >= 5
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block}) == 1


def test_the_sentence_of_one_scenario_is_the_headline_only_once(tmp_path: Path) -> None:
    folder = report_examples.run(tmp_path, {"dual": bench_records.records()})
    html = page(load([folder]))
    said = headline.sentence(load([folder]))
    body = html.partition("<body>")[2]
    assert body.count(said) == 1
    assert load([folder]).runs[0].result["complete"]
