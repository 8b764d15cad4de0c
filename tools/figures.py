"""The figures of a folder of results, computed from its raw records.

In ``results/NAME/figures.json``, each figure has a ``from``, which states its source:

    PLACE: PATH                   one number; of a figure with an interval, both
    PLACE: PATH by PATH           the first over the second, pairwise, or all over one
    PLACE: PATH less PATH         the difference, in the same way
    PLACE: PATH and PATH          both
    each of …                     all values, as a list
    HOW of …                      an aggregate: least, greatest, mean, median, lower quartile,
                                  upper quartile, geometric mean, sum, or ones (how many are 1)
    estimate of …                 the median of rounds, with its interval
    README.md                     noted by hand without raw records: that page has the number

PLACE is a JSON file, a text file, or FOLDER/SCENARIO of a run of ``giveway bench``; * matches any
part of a name. PATH is keys and indexes joined by dots; * stands for all keys or indexes, and p99
for that percentile of a list. In a run, PATH starts at the object of the scenario in ``giveway
report --json``. For a text file, PATH is a regular expression with one group.
"""

from __future__ import annotations

import json
import operator
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Final

from giveway.results import archive, result, stats, store

BY_HAND: Final = "README.md"

_HOW: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "least": min,
    "greatest": max,
    "mean": statistics.fmean,
    "median": statistics.median,
    "lower quartile": lambda values: statistics.quantiles(values, method="inclusive")[0],
    "upper quartile": lambda values: statistics.quantiles(values, method="inclusive")[2],
    "geometric mean": statistics.geometric_mean,
    "sum": sum,
    "ones": lambda values: sum(value == 1 for value in values),
}


def compute(folder: Path, source: str) -> dict[str, Any]:
    """Computes the value, and the interval if there is one, from the ``from`` of a figure."""
    how, _, rest = source.partition(" of ")
    if how not in _HOW and how not in ("each", "estimate"):
        how, rest = "", source
    place, _, paths = rest.partition(": ")
    found = _found(folder, place, paths)
    if how == "estimate":
        by_round = stats.estimate([_number(each) for each in found])
        assert by_round is not None
        return {key: by_round[key] for key in ("value", "interval")}
    if how == "each":
        return {"value": [_rounded(_number(each)) for each in found]}
    if how:
        # A figure of a run is null where the rounds do not count.
        return {"value": _rounded(_HOW[how]([_number(each) for each in found if each is not None]))}
    if len(found) != 1:
        raise ValueError(f"{source!r} gives {len(found)} values, not one")
    if isinstance(found[0], dict):
        given = {key: found[0].get(key) for key in ("value", "interval")}
        return {key: each for key, each in given.items() if each is not None}
    return {"value": _rounded(_number(found[0]))}


def _found(folder: Path, place: str, paths: str) -> list[Any]:
    for word, operation in _OPERATIONS.items():
        first, found, second = paths.partition(f" {word} ")
        if found and not place.endswith(".txt"):
            return operation(_found(folder, place, first), _found(folder, place, second))
    return list(_values(folder, place, paths))


def _each_with_each(
    operation: Callable[[float, float], float],
) -> Callable[[list[Any], list[Any]], list[Any]]:
    def operate(above: list[Any], below: list[Any]) -> list[Any]:
        if len(below) == 1:
            below = below * len(above)
        return [operation(_number(a), _number(b)) for a, b in zip(above, below, strict=True)]

    return operate


_OPERATIONS: Final[dict[str, Callable[[list[Any], list[Any]], list[Any]]]] = {
    "and": operator.add,
    "less": _each_with_each(operator.sub),
    "by": _each_with_each(operator.truediv),
}


def _number(value: Any) -> float:
    return float(value["value"] if isinstance(value, dict) else value)


def _rounded(value: float) -> float:
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() else short


def _values(folder: Path, place: str, path: str) -> Iterator[Any]:
    for name in _places(folder, place):
        if name.endswith(".txt"):
            yield from re.findall(path, archive.read(folder / name).decode("utf-8"))
        else:
            keys = path.split(".")
            document = _json(folder / name) if name.endswith(".json") else _run(folder / name)
            yield from _walk(document, keys)


def _places(folder: Path, place: str) -> list[str]:
    if "*" not in place:
        return [place]
    inside = place.rpartition("/")[0]
    names = [f"{inside}/{each.name}".lstrip("/") for each in archive.files(folder / inside)]
    return [name for name in names if fnmatch(name, place)]


def _walk(value: Any, keys: Sequence[str]) -> Iterator[Any]:
    if not keys:
        yield value
        return
    key, *rest = keys
    if key == "*":
        for each in value.values() if isinstance(value, dict) else value:
            yield from _walk(each, rest)
    else:
        yield from _walk(_part(value, key), rest)


def _part(value: Any, key: str) -> Any:
    if not isinstance(value, list):
        return value[key]
    return stats.percentile(value, float(key[1:])) if key.startswith("p") else value[int(key)]


@cache
def _json(path: Path) -> Any:
    return json.loads(archive.read(path))


@cache
def _run(path: Path) -> dict[str, Any]:
    """The figures of a scenario of a run."""
    head = store.header_of(path.parent)
    records = store.records_of(path.parent, path.name)
    (found,) = result.summarise(head, {path.name: records})["results"]
    return found  # type: ignore[no-any-return]
