"""Finds policies by name: built-in ones, those of installed packages, and a user's own class."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from giveway.errors import UsageError, choices
from giveway.sched.attributes import parse_duration
from giveway.sched.policies.base import Policy

GROUP: Final = "giveway.policies"
"""The entry point group with which packages add policies, each a name and a class."""

BUILT_IN: Final = {
    "priority": "priority:Priority",
    "nice": "nice:Nice",
    "window": "focus:Focus",
    "priority-across": "across:PriorityAcross",
    "edf": "edf:EarliestDeadline",
    "laxity": "laxity:LeastLaxity",
    "rr": "rr:RoundRobin",
    "fair": "fair:Fair",
    "share": "share:Share",
    "group-share": "group_share:GroupShare",
    "mlfq": "mlfq:MultiLevelFeedback",
}

_NAMES: Final = {int: "a whole number", float: "a number", str: "a word"}


def names() -> list[str]:
    """The names of all policies: the built-in ones, then those of installed packages."""
    return [*BUILT_IN, *sorted(_added().keys() - BUILT_IN.keys())]


def describe(name: str) -> str:
    """The first sentence of a policy's docstring, in one line."""
    first = (inspect.getdoc(policy_class(name)) or "").partition("\n\n")[0]
    sentence = re.split(r"(?<=\.)\s", first, maxsplit=1)[0]
    return " ".join(sentence.replace("``", "").split())


def make(text: str) -> Policy:
    """Makes a policy from text such as ``rr``, ``edf,k=2`` or ``mypackage.mymodule:MyPolicy``.

    Raises:
        UsageError: no such policy, not a policy, or no such parameter. An exception from the import
            of a user's own module becomes one line.
    """
    name, *arguments = text.split(",")
    cls = policy_class(name)
    try:
        return cls(**_parameters(name, cls, arguments))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"policy {name!r} cannot be made: {_one_line(error)}") from error


def policy_class(name: str) -> type[Policy]:
    """The class behind a name or ``module:Class``.

    Raises:
        UsageError: as `make`.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        cls: object = getattr(importlib.import_module(f"{__package__}.{module}"), attribute)
    elif ":" in name:
        cls = _import(name)
    else:
        added = _added()
        if name not in added:
            raise UsageError(f"unknown policy {name!r}: {choices(name, [*BUILT_IN, *added])}")
        cls = _load(name, added[name])
    if not (isinstance(cls, type) and issubclass(cls, Policy)):
        raise UsageError(f"{name!r} is not a policy: not a subclass of giveway.policies.Policy")
    if inspect.isabstract(cls):
        raise UsageError(f"{name!r} is not a complete policy: it has no method decide")
    if not isinstance(getattr(cls, "name", None), str):
        raise UsageError(f"{name!r} is not a complete policy: it has no name")
    return cls


def _added() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _load(name: str, point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:
        raise UsageError(f"cannot import policy {name!r}: {_one_line(error)}") from error


def _import(name: str) -> object:
    module, _, attribute = name.partition(":")
    # A console script does not search the current folder, where a user's own module often is.
    here = os.getcwd()
    path = list(sys.path)
    sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise UsageError(f"cannot import policy {name!r}: {_one_line(error)}") from error
    finally:
        sys.path[:] = path


def _parameters(name: str, cls: type[Policy], arguments: list[str]) -> dict[str, Any]:
    known = {
        key.removesuffix("_ns"): parameter
        for key, parameter in inspect.signature(cls, eval_str=True).parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }
    values = {}
    for argument in arguments:
        key, sign, text = argument.partition("=")
        if not sign:
            raise UsageError(f"{argument!r} has no value: write {name},{key}=VALUE")
        if key not in known:
            hint = choices(key, known) if known else "it has none"
            raise UsageError(f"policy {name} has no parameter {key!r}: {hint}")
        values[known[key].name] = _value(f"{key} of policy {name}", known[key], text)
    return values


def _value(what: str, parameter: inspect.Parameter, text: str) -> int | float | str:
    if parameter.name.endswith("_ns"):
        return parse_duration(text)
    kind = parameter.annotation if parameter.annotation in _NAMES else str
    try:
        value: int | float | str = kind(text)
    except ValueError:
        raise UsageError(f"{what} cannot be {text!r}: allowed is {_NAMES[kind]}") from None
    return value


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
