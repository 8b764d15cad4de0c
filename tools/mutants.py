"""Applies one mutant (a deliberate break) after another, and checks that its tests fail.

python tools/mutants.py [--part scheduler] [--only "rows of dead tasks are kept"] [--check]

Works on a copy in build/mutants, where all named tests must pass first. A test that does not end
counts as failed. A mutant with a `reason` is known to survive. Exits with 1 if fewer than 95 % of
the other mutants are caught.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import ctypes
import dataclasses
import filecmp
import os
import py_compile
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = ROOT / "build" / "mutants"
LIMIT_S = 40.0
ENOUGH = 0.95
PR_SET_CHILD_SUBREAPER = 36
KEYS = {"name", "file", "old", "new", "tests"}


class MutantError(Exception):
    """A mutant that cannot be applied."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A deliberate break, with its tests: names for ctest, and ids for pytest (with a slash)."""

    part: str
    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    reason: str | None = None

    def apply(self, text: str) -> str:
        if (times := text.count(self.old)) != 1:
            found = f"occurs {times} times" if times else "does not occur"
            raise MutantError(f"{self.part}: {self.name!r}: the old text {found} in {self.file}")
        broken = text.replace(self.old, self.new)
        if self.file.endswith(".py"):
            try:
                compile(broken, self.file, "exec")
            except SyntaxError as error:
                raise MutantError(f"{self.part}: {self.name!r} is not Python: {error}") from error
        return broken


def read(path: Path) -> list[Mutant]:
    """Reads the mutants of one part."""
    found = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]:
        name = entry.get("name", "without a name")
        if wrong := KEYS - entry.keys() or entry.keys() - KEYS - {"reason"}:
            raise MutantError(f"{path.name}: {name!r}: {', '.join(sorted(wrong))}?")
        if entry["old"] == entry["new"] or not entry["tests"]:
            raise MutantError(f"{path.name}: {name!r} changes nothing or names no test")
        found.append(Mutant(part=path.stem, **{**entry, "tests": tuple(entry["tests"])}))
    return found


def read_all(folder: Path) -> list[Mutant]:
    mutants = [mutant for path in sorted(folder.glob("*.toml")) for mutant in read(path)]
    counts = Counter(mutant.name for mutant in mutants)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise MutantError(f"two mutants have one name: {', '.join(twice)}")
    return mutants


def split(tests: Iterable[str]) -> tuple[list[str], list[str]]:
    """Splits tests into those of ctest and those of pytest."""
    of_pytest = [test for test in tests if test.startswith("tests/")]
    return [test for test in tests if test not in of_pytest], of_pytest


class Copy:
    """A copy of the sources, with its build, on which tests run."""

    def __init__(self) -> None:
        self.tree = SCRATCH / "tree"
        self.native = self.tree / "build" / "native"  # where tests expect the build
        self._stale = True  # the libraries are older than the C sources
        self._env = {
            **os.environ,
            # Every process of a test imports giveway from the copy, not from the environment.
            "PYTHONPATH": str(self.tree / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIVEWAY_TEST_SECONDS": "10",  # the limit of waits in C tests
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def make(self) -> None:
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
        wanted = {Path(name) for name in listing.stdout.split("\0") if name}
        for path in [path for path in self.tree.rglob("*") if path.is_file()]:
            name = path.relative_to(self.tree)
            if name.parts[0] != "build" and name not in wanted:
                path.unlink()
        for name in wanted:
            source, target = ROOT / name, self.tree / name
            if not source.is_file() or name.parts[0] == "results":
                continue
            # A file that a killed run left mutated gets a new time, so that it is built again.
            if not target.exists() or not filecmp.cmp(source, target, shallow=False):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        # Modules are checked by content, because mutants follow each other within a second.
        by_content = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(self.tree / "src", quiet=1, invalidation_mode=by_content)
        options = ["-DGIVEWAY_TESTS=ON", "-DCMAKE_LINK_DEPENDS_NO_SHARED=ON"]
        self._call("cmake", "-G", "Ninja", "-S", self.tree, "-B", self.native, *options)

    def _call(self, *command: str | Path) -> None:
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MutantError(f"{command[0]} fails:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def build(self) -> None:
        if self._stale:
            self._call("cmake", "--build", self.native)
            shutil.rmtree(
                self.tree / "src/giveway/lib", ignore_errors=True
            )  # CMake compares whole seconds
            self._call("cmake", "--install", self.native, "--prefix", self.tree / "src")
            self._stale = False

    @contextlib.contextmanager
    def broken(self, mutant: Mutant) -> Iterator[None]:
        path = self.tree / mutant.file
        whole = path.read_text(encoding="utf-8")
        path.write_text(mutant.apply(whole), encoding="utf-8")
        is_native = not mutant.file.startswith("src/")
        self._stale |= is_native
        try:
            self.build()
            yield
        finally:
            path.write_text(whole, encoding="utf-8")
            self._stale |= is_native

    def passes(self, tests: Sequence[str], limit_s: float | None) -> bool:
        """Whether all tests pass within the time limit; C tests run first."""
        in_c, in_python = split(tests)
        commands = []
        if in_c:
            names = f"^({'|'.join(in_c)})$"
            commands = [["ctest", "--test-dir", str(self.native), "--no-tests=error", "-R", names]]
        if in_python:
            options = ["-q", "-x", "-p", "no:cacheprovider"]
            commands.append([sys.executable, "-m", "pytest", *options, *in_python])
        return all(self._run(command, limit_s) for command in commands)

    def _run(self, command: Sequence[str], limit_s: float | None) -> bool:
        with (SCRATCH / "log").open("a", encoding="utf-8") as log:
            try:
                done = subprocess.run(
                    command, cwd=self.tree, env=self._env, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=subprocess.STDOUT, timeout=limit_s, check=False,
                )  # fmt: skip
                return done.returncode == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                end_children()


def end_children() -> None:
    """Ends all processes that a test left; orphans are children of this process."""
    while children := psutil.Process().children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=10)


def verdict(copy: Copy, mutant: Mutant) -> str:
    try:
        with copy.broken(mutant):
            passed = copy.passes(mutant.tests, LIMIT_S)
    except MutantError as error:
        return f"DOES NOT BUILD: {error}"
    if mutant.reason is not None:
        return f"survives: {mutant.reason}" if passed else "caught after all"
    return "SURVIVED" if passed else "caught"


def examine(mutants: Sequence[Mutant]) -> int:
    # Orphans of a killed test become children of this process.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    copy = Copy()
    copy.make()
    copy.build()
    (SCRATCH / "log").write_text("", encoding="utf-8")
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    if not copy.passes(tests, None):
        raise MutantError(f"the named tests fail without a mutant: see {SCRATCH / 'log'}")
    print(f"{len(tests)} tests pass without a mutant\n")
    print("| part | mutant | | s |\n|---|---|---|---:|")
    verdicts = []
    # Mutants in C come last, because each of them needs a build.
    for mutant in sorted(mutants, key=lambda mutant: not mutant.file.startswith("src/")):
        begin = time.monotonic()
        verdicts.append(verdict(copy, mutant))
        took = f"{time.monotonic() - begin:.0f}"
        print(f"| {mutant.part} | {mutant.name} | {verdicts[-1]} | {took} |", flush=True)
    caught, known = verdicts.count("caught"), sum(mutant.reason is not None for mutant in mutants)
    print(f"\n{caught} of {len(mutants) - known} caught, {known} known to be missed")
    return int(caught < ENOUGH * (len(mutants) - known))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", help="a file of tests/mutants, without .toml")
    parser.add_argument("--only", help="the name of one mutant")
    parser.add_argument(
        "--check", action="store_true", help="only check that each mutant fits the source"
    )
    chosen = parser.parse_args()
    listed = read_all(ROOT / "tests" / "mutants")
    mutants = [each for each in listed if chosen.only in (None, each.name)]
    mutants = [each for each in mutants if chosen.part in (None, each.part)]
    if not mutants:
        raise MutantError("no mutant of this name or part")
    for mutant in mutants:
        mutant.apply((ROOT / mutant.file).read_text(encoding="utf-8"))
    return 0 if chosen.check else examine(mutants)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MutantError as error:
        sys.exit(f"mutants: {error}")
