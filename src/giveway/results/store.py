"""The folder of a run: what was measured is there as soon as it was.

``run.json`` is written first, and ``SCENARIO.jsonl`` gets a line for each segment when it is over.
All figures are computed from these two when the folder is read, so that they are the same for a
run that was killed. docs/reference/results.md has the schema of both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from giveway.errors import GivewayError, UsageError
from giveway.results import archive

SCHEMA: Final = 1
"""Of both files; another one is refused."""
KIND: Final = "giveway bench"
_HEADER: Final = {
    "date": str,
    "device": str,
    "machine": dict,
    "versions": dict,
    "settings": dict,
    "scenarios": list,
}

Records = list[dict[str, Any]]


class Store:
    """A folder that a run writes to.

    Raises:
        UsageError: it holds a result already.
        GivewayError: it cannot be written.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        self.folder = folder
        if any((folder / name).exists() for name in ("run.json", archive.NAME)):
            raise UsageError(f"{folder} holds a result already; say another --out")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._write("run.json", header)
        except OSError as error:
            raise GivewayError(f"cannot write into {folder}: {error.strerror}") from error

    def recorder(self, scenario: str) -> Callable[[Mapping[str, Any]], None]:
        """Appends the records of one scenario, each a line that is on the file at once."""
        path = self.folder / f"{scenario}.jsonl"

        def record(value: Mapping[str, Any]) -> None:
            try:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(value, separators=(",", ":")) + "\n")
            except OSError as error:
                raise GivewayError(f"cannot write {path}: {error.strerror}") from error

        return record

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        temporary = self.folder / f".{name}.{os.getpid()}"
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.folder / name)


def header_of(folder: Path) -> dict[str, Any]:
    """What ``run.json`` says.

    Raises:
        UsageError: there is none, it is damaged, or it is of another schema.
    """
    header = _json(folder / "run.json")
    if header.get("kind") != KIND:
        raise UsageError(f"{folder / 'run.json'} is not of giveway bench")
    if header.get("schema") != SCHEMA:
        raise UsageError(
            f"{folder} has a result of schema {header.get('schema')}; "
            f"this version of giveway reads schema {SCHEMA}"
        )
    missing = [key for key in _HEADER if key not in header]
    if missing:
        raise UsageError(f"{folder / 'run.json'} is damaged: no {', '.join(missing)}")
    if wrong := [key for key, kind in _HEADER.items() if not isinstance(header[key], kind)]:
        raise UsageError(f"{folder / 'run.json'} is damaged: {wrong[0]} is of a wrong type")
    for name in header["scenarios"]:
        # A file beside this one, and none elsewhere.
        if not isinstance(name, str) or not name or Path(name).name != name:
            raise UsageError(f"{folder / 'run.json'} is damaged: {name!r} names no scenario")
    return header


def records_of(folder: Path, scenario: str) -> Records:
    """The raw records of a scenario, as far as they were written; empty where there are none."""
    try:
        content = archive.read(folder / f"{scenario}.jsonl")
    except FileNotFoundError:
        return []
    records = []
    for line in filter(None, content.decode("utf-8", errors="replace").split("\n")):
        try:
            records.append(json.loads(line))
        except (json.JSONDecodeError, RecursionError):
            break  # The run was killed while it wrote this one; there is none after it.
    return records


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(archive.read(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path} is damaged: not an object")
    return value
