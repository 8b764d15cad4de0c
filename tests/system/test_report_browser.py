"""The page in a real browser; skipped where none is found."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from giveway.report.load import load
from giveway.report.page import page
from tests import browser
from tests.unit import report_examples
from tests.unit.report_examples import failed, noisy, renamed

BROWSER = browser.find()
EXAMPLE = Path(__file__).parents[1] / "data" / "bench-result"

pytestmark = pytest.mark.skipif(
    BROWSER is None,
    reason="no browser: install Chromium, or set GIVEWAY_BROWSER to the path of one",
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    assert BROWSER is not None
    with browser.started(BROWSER, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a page can have, with names as long as they may be."""
    folder = tmp_path_factory.mktemp("a-folder-with-a-rather-long-name-of-its-own")
    records = noisy(2, slower=1.3, low=5)
    for mode in ("streams", "mps", "nice"):
        native = [each for each in records if each.get("mode") == "native"]
        records += [each | {"mode": mode} for each in native]
    with_long_names = json.loads(
        json.dumps(records)
        .replace('"high"', '"a-name-of-20-letters"')
        .replace('"low"', '"another-name-of-20-l"')
    )
    last = ["Traceback (most recent call last):", "x" * 300]
    scenarios = {
        "dual": report_examples.with_modes(noisy(1)),
        **report_examples.sweep("swept"),
        **report_examples.pairs(),
        "a-scenario-with-a-long-name": renamed(with_long_names, "a-scenario-with-a-long-name"),
        "broken": renamed(failed("e" * 120, last), "broken"),
        "later": None,
    }
    report_examples.run(folder, scenarios, complete=False)
    report_examples.verify(folder)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(load([folder, EXAMPLE])), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_it_shows_without_complaint_and_fits(
    shown: browser.Page, report: Path, width: int, scheme: str
) -> None:
    shown.open(report, width, scheme)
    assert shown.complaints == []
    asked = [each for each in shown.requests if not each.startswith("data:")]
    assert asked == [report.as_uri()]
    assert shown.ask("document.documentElement.scrollWidth") <= width
    # Nothing is cut off either: it all lies within the page.
    beyond = (
        "[...document.querySelectorAll('h1,h2,h3,p,li,td,th,figcaption,svg text,svg rect')]"
        ".filter(each => each.getClientRects().length && !each.closest('thead'))"
        ".map(each => [each.textContent, each.getBoundingClientRect()])"
        f".filter(([, box]) => box.left < -0.5 || box.right > {width} + 0.5)"
        ".map(([text, box]) => `${text} ${box.left} ${box.right}`)"
    )
    assert shown.ask(beyond) == []


def test_charts_have_data(shown: browser.Page, report: Path) -> None:
    shown.open(report)
    kinds = shown.ask("[...document.querySelectorAll('figure')].map(each => each.className)")
    assert set(kinds) == {
        f"chart {kind}"
        for kind in ("overview", "sweep", "frontier", "cdf", "bars", "timeline")
    }  # fmt: skip
    # The size of what is drawn, on the screen.
    sizes = shown.ask(
        "[...document.querySelectorAll('figure.cdf .plot path')].filter("
        "path => path.checkVisibility()).map(path => {"
        "const box = path.getBoundingClientRect(); return [box.width, box.height]})"
    )
    assert len(sizes) >= 9
    assert all(width > 20 and height > 100 for width, height in sizes)
    bars = shown.ask(
        "[...document.querySelectorAll('figure.bars rect')].filter("
        "bar => bar.checkVisibility()).map(bar => bar.getBoundingClientRect().width)"
    )
    assert len(bars) >= 4
    assert all(width > 20 for width in bars)
    held = shown.ask(
        "[...document.querySelectorAll('rect.held')].filter("
        "box => box.checkVisibility()).map(box => ["
        "box.getBoundingClientRect().width, getComputedStyle(box).fill])"
    )
    assert held
    assert all(width > 5 and fill.startswith("url(") for width, fill in held)


def test_curves_and_points_lie_where_their_values_are(shown: browser.Page, report: Path) -> None:
    shown.open(report)
    # Each of the two charts has a dot on its curves for each load and mode, inside the picture.
    inside = shown.ask(
        "[...document.querySelectorAll('figure.sweep .plot')].map(plot => {"
        "const frame = plot.querySelector('svg').getBoundingClientRect();"
        "return [...plot.querySelectorAll('circle')].map(each => {"
        "const box = each.getBoundingClientRect();"
        "return [(box.left + box.right) / 2 - frame.left, (box.top + box.bottom) / 2 - frame.top,"
        "frame.width, frame.height]})})"
    )
    latencies, shares = inside
    assert (len(latencies), len(shares)) == (12, 9)
    for x, y, width, height in (*latencies, *shares):
        assert 0 < x < width
        assert 0 < y < height
    # The loads are 10%, 50% and 90%.
    assert sorted({round(x / width, 2) for x, _, width, _ in latencies}) == [0.1, 0.5, 0.9]


def test_warnings_and_members_unfold(shown: browser.Page, report: Path) -> None:
    shown.open(report)
    items = "[...document.querySelectorAll('.cautions li')]"
    visible = f"{items}.filter(each => each.checkVisibility()).length"
    assert shown.ask(visible) == 0
    assert shown.ask("document.querySelector('.cautions').getBoundingClientRect().height") < 60
    shown.ask("document.querySelector('.cautions summary').click()")
    assert shown.ask(visible) > 0
    # A link in the table of a family opens the section of its member.
    shown.ask("document.querySelector('table a[href^=\"#pairs@\"]').click()")
    shown.eventually("document.querySelector('.scenario[id^=\"pairs@\"]').checkVisibility()")


def test_a_download_is_the_raw_numbers(shown: browser.Page, report: Path) -> None:
    shown.open(report)
    last = shown.ask(
        "(() => { const link = document.querySelector('a[download$=\"-dual.jsonl\"]');"
        "return atob(link.href.split(',')[1]).trim().split('\\n')"
        ".map(JSON.parse).map(each => each.kind).at(-1) })()"
    )
    assert last == "end"


# The relative luminance and the contrast of WCAG 2.
CONTRAST = """
(() => {
  const parse = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = colour => {
    const [r, g, b] = parse(colour).map(each => {
      each /= 255;
      return each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = each => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
  };
  const found = [];
  const look = (selector, property, needed) => {
    for (const each of document.querySelectorAll(selector))
      found.push([each.textContent.slice(0, 40) + each.getAttribute('class'), needed,
        contrast(getComputedStyle(each)[property], ground(each))]);
  };
  look('h1,h2,h3,h4,p,li,td,th,small,a,caption,figcaption,pre,.mark', 'color', 4.5);
  look('svg text:not(.inside)', 'fill', 4.5);
  look('.line', 'stroke', 3);
  look('.fill, .state:not(.held)', 'fill', 3);
  return found.filter(([, needed, is]) => !(is >= needed));
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(shown: browser.Page, report: Path, scheme: str) -> None:
    shown.open(report, scheme=scheme)
    ground = shown.ask("getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, re.findall(r"\d+", ground))) < 3 * 128
    assert dark == (scheme == "dark")
    assert shown.ask(CONTRAST) == []


def test_paper_is_light_whatever_the_screen_is(shown: browser.Page, report: Path) -> None:
    shown.open(report, 720, "dark", media="print")
    assert shown.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert shown.ask("document.documentElement.scrollWidth") <= 720
    assert shown.ask(CONTRAST) == []
    # What is folded on a screen cannot be unfolded on paper.
    assert shown.ask("[...document.querySelectorAll('li')].every(each => each.checkVisibility())")
    printed = shown.pdf()
    assert printed.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 3 <= pages <= 40


def test_the_curves_are_in_the_picture(shown: browser.Page, report: Path) -> None:
    from PIL import Image

    for scheme, giveway in (("light", (11, 95, 189)), ("dark", (108, 178, 255))):
        shown.open(report, scheme=scheme)
        picture = Image.open(io.BytesIO(shown.picture())).convert("RGB")
        colours = {colour: count for count, colour in picture.getcolors(1 << 24)}
        assert colours.get(giveway, 0) > 2000
