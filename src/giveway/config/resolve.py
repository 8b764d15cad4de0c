"""The settings of one program, and where each comes from.

An option overrides the environment, that the user's file, that the system's, and that what is built
in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from giveway.config.keys import KEYS
from giveway.errors import UsageError

SYSTEM: Final = Path("/etc/giveway/config.toml")


@dataclass(frozen=True, slots=True)
class Value:
    """The value of one setting."""

    text: str
    """As users write it on the command line."""
    source: str
    """``option``, ``environment``, ``user``, ``system``, ``file`` (named by GIVEWAY_CONFIG) or
    ``built in``."""
    where: str | None = None
    """The file and line, or the variable."""


def files(environ: Mapping[str, str], system: Path = SYSTEM) -> list[tuple[str, Path]]:
    """The source and the path of each configuration file, whether it exists or not.

    The first one is overridden by the others.
    """
    if given := environ.get("GIVEWAY_CONFIG"):
        return [("file", Path(given))]
    found = [("system", system)]
    home = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(home):  # relative ones are to be ignored, says the standard
        home = os.path.expanduser("~/.config")
    if os.path.isabs(home):
        found.append(("user", Path(home, "giveway", "config.toml")))
    return found


def current_directory() -> str:
    """The current directory, without symbolic links; empty if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def resolve(
    name: str,
    directory: str,
    options: Mapping[str, str | None],
    environ: Mapping[str, str],
    system: Path = SYSTEM,
) -> dict[str, Value]:
    """The value of every setting for a program.

    Args:
        name: the name of the program's task.
        directory: the folder where it starts, without symbolic links.
        options: what the command line states; None: nothing.
        environ: the environment of giveway. In a program under giveway run, the variables are those
            of that program, and only those with `Key.to_variable` count for the programs that it
            starts.
        system: the path of the system's file.

    Raises:
        UsageError: a file or a variable is invalid.
    """
    values = {key: Value(known.built_in, "built in") for key, known in KEYS.items()}
    for source, path in files(environ, system):
        values.update(_from_file(source, path, name, directory))
    values.update(_from_environment(environ))
    values.update({key: Value(text, "option") for key, text in options.items() if text is not None})
    return values


def _from_file(source: str, path: Path, name: str, directory: str) -> Iterator[tuple[str, Value]]:
    if source != "file" and not os.path.exists(path):
        return
    from giveway.config import file  # takes time, which programs without a file need not wait for

    for entry in file.read(path):
        if entry.matches(name, directory):
            for key, setting in entry.settings.items():
                yield key, Value(setting.text, source, f"{path}:{setting.line}")


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, Value]]:
    for key, known in KEYS.items():
        if "GIVEWAY_RUN" in environ and known.to_variable is None:
            continue
        variable = f"GIVEWAY_{key.upper()}"
        if text := environ.get(variable):
            try:
                known.kind.parse(text)
            except (ValueError, UsageError):
                allowed = known.kind.allowed
                raise UsageError(f"{variable} cannot be {text!r}: allowed is {allowed}") from None
            yield key, Value(text, "environment", variable)
