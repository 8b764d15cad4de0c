"""Which part of giveway may import which: anything not listed here is forbidden."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "giveway"

# What each part is built on; what those are built on, it may use too. "" is the package itself.
BUILT_ON: dict[str, set[str]] = {
    "version": set(),
    "errors": set(),
    "task": set(),
    "page": {"task", "errors"},
    "api": {"page"},
    "": {"api", "version"},
    "elf": set(),
    "loader": set(),
    "driver": {"elf", "page"},
    "devices": {"driver", "loader"},
    "launch": {"devices"},
    "programs": {"task"},
    "bench": {"launch"},
    "traces": set(),
    "verify": {"", "bench", "traces"},
    "report": {"bench", "version"},
    "cli": {"launch", "programs", "bench", "report", "traces", "verify", "version"},
}
HEAVY = {"torch", "torchvision", "matplotlib"}
MAY_IMPORT_HEAVY = {"bench", "verify", "report"}


def closure(part: str) -> set[str]:
    below = BUILT_ON[part]
    return below.union(*(closure(other) for other in below))


def part_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported(code: str, package: str) -> Iterator[str]:
    """The absolute dotted name of every import in a module, wherever it stands."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(above) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def violations(code: str, part: str, package: str = "giveway") -> list[str]:
    if part not in BUILT_ON:
        return [f"{part} is not listed"]
    found = []
    for name in imported(code, package):
        first, *rest = name.split(".")
        if first in HEAVY and part not in MAY_IMPORT_HEAVY:
            found.append(name)
        if first != "giveway":
            continue
        # What is no part is a name that the package itself gives out.
        target = rest[0] if rest and rest[0] in BUILT_ON else ""
        if target != part and target not in closure(part):
            found.append(name)
    return found


MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(SOURCE)) for path in MODULES])
def test_imports_go_one_way(path: Path) -> None:
    package = ".".join(["giveway", *path.relative_to(SOURCE).parent.parts])
    assert violations(path.read_text(), part_of(path), package) == []


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("task", "from giveway.page import Page"),
        ("page", "import giveway.devices.cpu"),
        ("devices", "from giveway import launch"),
        ("launch", "def f():\n    from giveway.cli import run"),
        ("launch", "from . import cli"),
        ("launch", "from .bench import dual"),
        ("bench", "from giveway.cli import table"),
        ("cli", "import torch.nn"),
        ("page", "from matplotlib import pyplot"),
        ("page", "from giveway import task_context"),
        ("gossip", ""),
    ],
)
def test_a_wrong_import_is_found(part: str, code: str) -> None:
    assert violations(code, part)


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("launch", "from giveway import devices"),
        ("launch", "from giveway.task import Task"),
        ("bench", "import torch"),
        ("cli", "from giveway.cli import table\nfrom giveway.bench import dual"),
    ],
)
def test_a_right_import_is_not(part: str, code: str) -> None:
    assert violations(code, part) == []


def test_every_listed_part_exists() -> None:
    for part in BUILT_ON:
        assert (SOURCE / part).is_dir() or (SOURCE / f"{part or '__init__'}.py").is_file(), part
