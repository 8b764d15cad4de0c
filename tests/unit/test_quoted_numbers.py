"""Numbers that the documents quote were measured: each is that of a figure in results/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import quotes
from tools.quotes import Number

PAGES = quotes.pages()


@pytest.mark.skipif(not (quotes.ROOT / "results").exists(), reason="a source distribution")
@pytest.mark.parametrize("path", PAGES, ids=[str(path.relative_to(quotes.ROOT)) for path in PAGES])
def test_each_measured_number_is_that_of_a_figure(path: Path) -> None:
    name = str(path.relative_to(quotes.ROOT))
    assert list(quotes.faults(name, path.read_text(encoding="utf-8"))) == []


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results with two figures."""
    folder = tmp_path / "results" / "mine"
    folder.mkdir(parents=True)
    (folder / "figures.json").write_text(
        '{"figures": [{"name": "dual p99", "value": 1.0919, "interval": [0.9664, 1.1456],'
        ' "unit": "times"}, {"name": "dual left", "value": [0.955, 0.81], "unit": "share"},'
        ' {"name": "call", "value": 3348.6, "unit": "ns"}]}'
    )
    monkeypatch.setattr(quotes, "ROOT", tmp_path)
    return tmp_path


def faults(text: str, page: str = "README.md") -> list[str]:
    return list(quotes.faults(page, text))


@pytest.mark.parametrize(
    "text",
    [
        "p99 was 1.09 × (0.97-1.15) of alone.\n<!-- figures: results/mine -->",
        "<!-- figures: results/mine#dual* -->\n| | p99 | left |\n|---|---|---|\n| 7 | 1.1 | 81 % |",
        "A launch: <!-- figures: results/mine -->\n\n| | |\n|---|---|\n| bare | 3.3 µs |",
        "It takes 3349 ns. <!-- figures: results/mine#call -->",
        "It took 1.09 × alone in 10 s.\n<!-- figures: results/mine -->"
        "<!-- no figures: 10 s is a setting -->",
        "On 2026-11-24 with torch 2.13 and Python 3.11, twice, `sleep 3 s`, [x](y-1.5-ms).",
        "Text.\n\n    indented 5 ms <!-- figures: results/none -->\n\n```\ncode 5 ms\n```",
        "<!-- tables: tools/x.py -->\n\n| 5 ms |\n\n<!-- end of tables -->",
    ],
)
def test_what_is_right_has_no_fault(root: Path, text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("It took 5 ms.", "README.md:1: no mark names the source of 5 ms"),
        ("It was 1.3 times as long.", "no mark names the source of 1.3"),
        ("- One,\n    in 5 ms.", "no mark names the source of 5 ms"),
        ("One.\n\nIt is -23 µs.", "README.md:3: no mark names the source of -23 µs"),
        ("Between 3 and 4 ms, or 80-90 %.", "source of 3 ms, 4 ms, 80 %, 90 %"),
        ("| a | b |\n|---|---|\n| x | 12 % |", "no mark names the source of 12 %"),
        ("p99 was 1.10 ×. <!-- figures: results/mine -->", "no figure equals 1.10 ×"),
        ("p99 was 1.09 × (0.97-1.20). <!-- figures: results/mine -->", "no figure equals 1.20 ×"),
        ("It is 3.35 ms. <!-- figures: results/mine -->", "no figure equals 3.35 ms"),
        ("It is 3.3 µs. <!-- figures: results/mine#dual* -->", "no figure equals 3.3 µs"),
        ("<!-- figures: results/mine -->\n| | n |\n|---|---|\n| 7 | 8 |", "no figure equals 8"),
        ("It is 5 ms. <!-- figures: results/gone -->", "results/gone has no figures"),
        ("It is 5 ms. <!-- figures: results/mine#x* -->", "results/mine has no figure x*"),
        ("It is 5 ms. <!-- figures: src -->", "src has no figures"),
        ("It is 5 ms. <!-- no figures: settings -->", "no figure equals 5 ms"),
        ("In 5 ms or 6 ms. <!-- no figures: 5 ms is a setting -->", "no figure equals 6 ms"),
    ],
)
def test_what_is_wrong_is_one_fault(root: Path, text: str, says: str) -> None:
    (fault,) = faults(text)
    assert fault.endswith(says)


@pytest.mark.parametrize(
    ("text", "needs_one"),
    [
        ("The limit is 5 ms.", False),
        ("The median is 5 ms.", True),
        ("Measured: 5 ms.", True),
        ("It is 5 ms ([raw](../results/mine)).", True),
        ("It is 5 ms (`results/mine`).", True),
    ],
)
def test_other_pages_need_a_mark_where_they_speak_of_measuring(
    root: Path, text: str, needs_one: bool
) -> None:
    assert bool(faults(text, "docs/x.md")) == needs_one


@pytest.mark.parametrize(
    ("text", "unit", "value", "of", "is_it"),
    [
        ("0.99", None, 0.9949, "times", True),
        ("0.99", None, 0.9951, "times", False),
        ("99", "%", 0.9949, "share", True),
        ("99", "%", 0.9949, "times", False),
        ("99", None, 0.9949, "share", True),
        ("10,611", "µs", 10.6112, "ms", True),
        ("2", "ms", 2.254, "µs", False),
        ("2", "µs", 2.254, "µs", True),
        ("2", "×", 2.254, "µs", False),
        ("-23", "µs", -23.3, "µs", True),
        ("23", "µs", -23.3, "µs", False),
    ],
)
def test_a_number_is_that_of_a_figure_if_it_is_the_figure_rounded(
    text: str, unit: str | None, value: float, of: str, is_it: bool
) -> None:
    assert Number(text, unit).matches({"value": value, "unit": of}) == is_it
