"""Checks the configuration files, with which programs would not start."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from giveway.config import file
from giveway.config.resolve import SYSTEM, files
from giveway.doctor.findings import Problem
from giveway.errors import UsageError


def problems(environ: Mapping[str, str], system: Path = SYSTEM) -> Iterator[Problem]:
    """The mistakes in configuration files: the first one of each file."""
    for source, path in files(environ, system):
        if source != "file" and not os.path.exists(path):
            continue
        try:
            file.read(path)
        except UsageError as error:
            yield Problem(
                f"{error}: programs do not start",
                "correct it, or read another file: GIVEWAY_CONFIG=FILE",
            )
