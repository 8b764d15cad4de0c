"""Writes and reads the folder of a run.

``run.json`` is written first. ``SCENARIO.jsonl`` gets a line as soon as a segment is over. All
figures are computed from these two when the folder is read, so that they are the same for a run
that was killed. docs/reference/results.md has the schema of both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from giveway.errors import GivewayError, UsageError
from giveway.results import archive

SCHEMA: Final = 2
"""The schema of both files, as written."""
READ: Final = (1, 2)
"""The schemas that can be read. In schema 1, a round has one segment of each program alone, and
the load of other programs is unknown."""
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
    """The folder that a run writes to.

    Raises:
        UsageError: the folder already holds a result.
        GivewayError: the folder cannot be written.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        self.folder = folder
        try:
            if any((folder / name).exists() for name in ("run.json", archive.NAME)):
                raise UsageError(f"{folder} already holds a result; choose another --out")
            folder.mkdir(parents=True, exist_ok=True)
            self._write("run.json", header)
        except OSError as error:
            raise GivewayError(f"cannot write into {folder}: {error.strerror}") from error

    def recorder(self, scenario: str) -> Callable[[Mapping[str, Any]], None]:
        """Returns a function that appends one record of a scenario, as a line, to its file."""
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
    """The content of ``run.json``.

    Raises:
        UsageError: the file is missing, damaged, or of another schema.
    """
    header = _json(folder / "run.json")
    if header.get("kind") != KIND:
        raise UsageError(f"{folder / 'run.json'} is not a result of giveway bench")
    if header.get("schema") not in READ:
        raise UsageError(
            f"the result in {folder} has schema {header.get('schema')}; "
            f"this version of giveway reads schema {' and '.join(map(str, READ))}"
        )
    missing = [key for key in _HEADER if key not in header]
    if missing:
        raise UsageError(f"{folder / 'run.json'} is damaged: {', '.join(missing)} missing")
    if wrong := [key for key, kind in _HEADER.items() if not isinstance(header[key], kind)]:
        raise UsageError(f"{folder / 'run.json'} is damaged: {wrong[0]} has the wrong type")
    for name in header["scenarios"]:
        # The name must be that of a file in this folder.
        if not isinstance(name, str) or not name or Path(name).name != name:
            raise UsageError(
                f"{folder / 'run.json'} is damaged: {name!r} is not the name of a scenario"
            )
    return header


def records_of(folder: Path, scenario: str) -> Records:
    """The raw records of a scenario; empty if none were written."""
    try:
        content = archive.read(folder / f"{scenario}.jsonl")
    except FileNotFoundError:
        return []
    records = []
    for line in filter(None, content.decode("utf-8", errors="replace").split("\n")):
        try:
            records.append(json.loads(line))
        except (json.JSONDecodeError, RecursionError):
            break  # The run was killed while it wrote this line, which is the last.
    return records


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(archive.read(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path.parent} has no result of {KIND}") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path} is damaged: not an object")
    return value
