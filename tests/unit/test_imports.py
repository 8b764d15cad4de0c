"""Which part of giveway may import which: anything not listed here is forbidden."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "giveway"

# What each part is built on; what those are built on, it may use too. "" is the package itself, and
# "public" the files with the import paths that the documentation names.
BUILT_ON: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    "text": set(),
    "sched": {"errors", "text"},
    "toml": {"errors"},
    "config": {"sched", "toml"},
    "scenarios": {"sched", "toml"},
    "simulate": {"scenarios"},
    "page": {"sched"},
    "devices": {"page"},
    "observe": {"devices"},
    "launch": {"devices"},
    "results": {"scenarios"},
    "report": {"results", "version"},
    "models": {"scenarios"},
    "bench": {"models", "launch", "results"},
    "verify": {"", "bench", "observe"},
    "daemon": {"observe"},
    "ray": {"launch", "observe", "version"},
    "doctor": {"config", "observe", "version"},
    "api": {"page"},
    "public": {"daemon", "sched"},
    "": {"api", "public", "version"},
    "cli": {"config", "simulate", "report", "verify", "daemon", "ray", "doctor"},
    "__main__": {"cli"},
}
PUBLIC = {"client", "policies", "task"}
HEAVY = {
    "torch": {"bench", "models", "verify"},
    "torchvision": {"bench", "models", "verify"},
    "ray": {"ray"},
}
"""Packages that take long to import, and the parts that may."""


def closure(part: str) -> set[str]:
    below = BUILT_ON[part]
    return below.union(*(closure(other) for other in below))


def part_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else "public" if first in PUBLIC else first


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
        if part not in HEAVY.get(first, {part}):
            found.append(name)
        if first != "giveway":
            continue
        # What is no part is a name that the package itself gives out.
        target = rest[0] if rest and rest[0] in BUILT_ON else ""
        if target != part and target not in closure(part):
            found.append(name)
    return found


# A policy or a scheduler that had a clock or a file would not be the same in a simulation. The
# registry imports the policies that users name.
PURE = {"sched"}
PURE_MAY_USE = {
    *("__future__", "abc", "bisect", "collections", "dataclasses", "enum", "functools", "heapq"),
    *("itertools", "math", "operator", "re", "traceback", "types", "typing"),
}
IMPURE_FILES = {SOURCE / "sched" / "policies" / "registry.py"}


MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(SOURCE)) for path in MODULES])
def test_imports_go_one_way(path: Path) -> None:
    package = ".".join(["giveway", *path.relative_to(SOURCE).parent.parts])
    assert violations(path.read_text(), part_of(path), package) == []


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("sched", "from giveway.page import Page"),
        ("page", "import giveway.devices.cpu"),
        ("devices", "from giveway import launch"),
        ("launch", "def f():\n    from giveway.cli import run"),
        ("launch", "from . import cli"),
        ("launch", "from .bench import dual"),
        ("bench", "from giveway.cli import table"),
        ("cli", "import torch.nn"),
        ("report", "import torch"),
        ("cli", "from ray import serve"),
        ("ray", "from giveway.cli import table"),
        ("sched", "from giveway.ray import options"),
        ("page", "from giveway import task_context"),
        ("sched", "from giveway.simulate import engine"),
        ("sched", "from giveway.launch import environment"),
        ("sched", "from giveway.policies import Policy"),
        ("results", "from giveway.bench.segments import Settings"),
        ("results", "from giveway.page import Page"),
        ("scenarios", "from giveway.models import build"),
        ("daemon", "from giveway.cli import table"),
        ("simulate", "from giveway.results import stats"),
        ("gossip", ""),
    ],
)
def test_a_wrong_import_is_found(part: str, code: str) -> None:
    assert violations(code, part)


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("launch", "from giveway import devices"),
        ("launch", "from giveway.sched.task import Task"),
        ("bench", "import torch"),
        ("ray", "import ray"),
        ("cli", "from giveway.cli import table\nfrom giveway.bench import dual"),
    ],
)
def test_a_right_import_is_not(part: str, code: str) -> None:
    assert violations(code, part) == []


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if part_of(path) in PURE and path not in IMPURE_FILES],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_decisions_have_no_clock_thread_file_or_ctypes(path: Path) -> None:
    assert impurities(path.read_text()) == []


def impurities(code: str) -> list[str]:
    used = {name.split(".")[0] for name in imported(code, "giveway")}
    called = {
        node.func.id
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    forbidden = {"open", "print", "input", "exec", "eval", "__import__"}
    return sorted(used - PURE_MAY_USE - {"giveway"}) + sorted(called & forbidden)


@pytest.mark.parametrize(
    "code", ["import time", "from threading import Lock", "import os.path", "open('x')"]
)
def test_an_impure_policy_is_found(code: str) -> None:
    assert impurities(code)


def test_every_listed_part_exists() -> None:
    listed = {part_of(path) for path in MODULES}
    assert listed == set(BUILT_ON)


def module_of(path: Path) -> str:
    parts = ("giveway", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of_files(sources: dict[str, str]) -> dict[str, set[str]]:
    """For each module the modules that it imports, wherever the import stands in it."""
    graph = {}
    for module, code in sources.items():
        used = set()
        for name in imported(code, module):
            # What is no module is a name that one gives out.
            used.add(name if name in sources else name.rpartition(".")[0])
        graph[module] = used & sources.keys() - {module}
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules of which each imports the next and the last one the first; empty: there are none."""
    done: set[str] = set()

    def search(module: str, path: list[str]) -> list[str]:
        if module in path:
            return path[path.index(module) :]
        if module not in done:
            for other in sorted(graph[module]):
                found = search(other, [*path, module])
                if found:
                    return found
            done.add(module)
        return []

    return next((found for module in graph if (found := search(module, []))), [])


def test_no_files_import_each_other() -> None:
    assert circle(imports_of_files({module_of(path): path.read_text() for path in MODULES})) == []


@pytest.mark.parametrize("late", ["from giveway import a", "def f():\n    import giveway.a"])
def test_a_circle_is_found(late: str) -> None:
    sources = {
        "giveway": "",
        "giveway.a": "from giveway.b import name",
        "giveway.b": "from giveway import c",
        "giveway.c": late,
    }
    found = circle(imports_of_files(sources))
    assert sorted(found) == ["giveway.a", "giveway.b", "giveway.c"]


def test_what_reads_results_measures_nothing() -> None:
    """All that the modules of a report lead to, lazy imports included."""
    graph = imports_of_files({module_of(path): path.read_text() for path in MODULES})
    reached, left = set(), ["giveway.cli.report", "giveway.cli.compare"]
    while left:
        module = left.pop()
        if module not in reached:
            reached.add(module)
            left += graph[module]
    parts = {module.split(".")[1] for module in reached}
    assert parts == {"cli", "report", "results", "scenarios", "sched", "errors", "text", "version"}
