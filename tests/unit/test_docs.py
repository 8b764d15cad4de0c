"""What the documents say about files: every link and every path leads somewhere."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("results/**/*.md"),
        *ROOT.glob("native/**/README.md"),
    ]
)
WIDTH = 100
"""Of a line, in characters. Tables and code cannot be wrapped."""

# Folders of the checkout: a name in backticks that begins with one of them is a path.
TOP = ("benchmarks", "contrib", "docs", "examples", "native", "results", "src", "tests", "tools")
LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)")
NAMED = re.compile(rf"`((?:{'|'.join(TOP)})/[^`\s]*)`")
# What only exists on the reader's machine, or stands for a name.
PLACEHOLDERS = ("NAME", "local", "…", "*")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines, numbered from 1, that are neither code nor a table."""
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith(("    ", "|", "<!--")):
            yield number, line


def missing_links(page: Path, text: str) -> list[str]:
    targets = (match.group(1) for match in LINK.finditer(text))
    local = (target for target in targets if not re.match(r"[a-z]+:", target))
    return [target for target in local if not _leads_somewhere(page, target)]


def _leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists() or not file.is_relative_to(ROOT):
        return False
    return not anchor or anchor in anchors(file.read_text())


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def missing_paths(text: str) -> list[str]:
    named = (match.group(1) for match in NAMED.finditer(text))
    real = (path for path in named if not any(word in path for word in PLACEHOLDERS))
    return [path for path in real if not _exists(re.sub(r"[:#].*$", "", path).rstrip("/"))]


def _exists(path: str) -> bool:
    """In the checkout, or in the packed records of a result."""
    top, *rest = Path(path).parts
    packed = ROOT / top / rest[0] / "raw.tar.xz" if rest else ROOT / top
    return (ROOT / path).exists() or (
        top == "results" and packed.exists() and _is_packed(packed, "/".join(rest[1:]))
    )


def _is_packed(archive: Path, path: str) -> bool:
    with tarfile.open(archive) as records:
        return any(name == path or name.startswith(f"{path}/") for name in records.getnames())


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert missing_links(page, page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    assert missing_paths(page.read_text()) == []


@pytest.mark.parametrize("page", [page for page in PAGES if "results" not in page.parts], ids=name)
def test_lines_are_wrapped(page: Path) -> None:
    lines = prose(page.read_text())
    long = [f"{page.name}:{number}" for number, line in lines if len(line) > WIDTH]
    assert long == []


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {
        (index.parent / match.group(1)).resolve() for match in LINK.finditer(index.read_text())
    }
    pages = {page for page in ROOT.glob("docs/**/*.md") if "decisions" not in page.parts}
    assert sorted(map(name, pages - linked - {index})) == []


def test_the_list_of_decisions_is_complete() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(LINK.findall((folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("[0-9]*.md")}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90


@pytest.mark.parametrize(
    "text", ["[a](nowhere.md)", "[a](docs/index.md#no-such-heading)", "![a](docs/images/none.svg)"]
)
def test_a_dead_link_is_found(text: str) -> None:
    assert missing_links(ROOT / "README.md", text)


def test_a_dead_path_is_found() -> None:
    assert missing_paths("see `src/giveway/nothing.py` and `native/abi/gate_page.h`") == [
        "src/giveway/nothing.py"
    ]
