"""Loads the results that a report covers: runs of ``bench`` and results of ``verify``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from giveway.errors import UsageError
from giveway.results import archive, result, store

VERIFY_SCHEMA: Final = 1


@dataclass(frozen=True)
class Run:
    """One run of ``giveway bench``, which may be incomplete."""

    folder: Path
    result: result.Result

    @cached_property
    def records(self) -> dict[str, store.Records]:
        """The raw records, by scenario."""
        return {name: store.records_of(self.folder, name) for name in self.result["scenarios"]}

    @property
    def device(self) -> str:
        """The name of the device for readers."""
        return str(self.result["machine"].get("device") or self.result["device"])


@dataclass(frozen=True)
class Verify:
    """One result of ``giveway verify --json``."""

    path: Path
    result: dict[str, Any]


@dataclass
class Found:
    """Everything that a report covers; not empty."""

    runs: list[Run] = field(default_factory=list)
    verifies: list[Verify] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """All figures and verdicts; docs/reference/results.md has the schema."""
        return {
            "runs": [{"folder": str(each.folder), **each.result} for each in self.runs],
            "verify": [{"file": str(each.path), **each.result} for each in self.verifies],
        }


def load(folders: Sequence[Path]) -> Found:
    """Loads the results in folders and in their direct subfolders, plain or packed, each once.

    Args:
        folders: folders with results, or files that ``giveway verify --json`` wrote.

    Raises:
        UsageError: a folder has no result, or a result is damaged or of another schema.
    """
    found = Found()
    for folder in folders:
        before = len(found.runs) + len(found.verifies)
        if archive.is_file(folder):
            found.verifies += _verifies([folder])
            places = []
        elif archive.is_folder(folder):
            places = [folder, *archive.folders(folder)]
        else:
            raise UsageError(f"{folder} is neither a folder nor a file")
        for place in places:
            names = archive.files(place)
            if place / "run.json" in names:
                found.runs.append(run(place))
            found.verifies += _verifies(each for each in names if each.suffix == ".json")
        if len(found.runs) + len(found.verifies) == before:
            raise UsageError(f"{folder} has no result of giveway bench or giveway verify")
    runs = {each.folder.resolve(): each for each in found.runs}
    verifies = {each.path.resolve(): each for each in found.verifies}
    return Found(list(runs.values()), list(verifies.values()))


def run(folder: Path) -> Run:
    """Loads the run in one folder.

    Raises:
        UsageError: as for ``load``.
    """
    return Run(folder, result.read(folder))


def _verifies(paths: Iterable[Path]) -> Iterator[Verify]:
    for path in paths:
        try:
            value = json.loads(archive.read(path))
        except (OSError, ValueError, RecursionError):
            continue  # Another file that happens to lie in the folder.
        if not isinstance(value, dict) or value.get("command") != "verify":
            continue
        if value.get("schema") != VERIFY_SCHEMA:
            raise UsageError(
                f"the result of giveway verify in {path} has schema {value.get('schema')}; "
                f"this version of giveway reads schema {VERIFY_SCHEMA}"
            )
        yield Verify(path, value)
