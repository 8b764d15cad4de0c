"""Stores the outputs of a check as named arrays in a folder, for another process to read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[Any]

_ARRAYS, _NAMES = "values.npz", "values.json"


def flatten(value: object, name: str = "output") -> Iterator[tuple[str, object]]:
    """Yields every tensor, number and text in nested containers, named by its path.

    Named tuples, such as the outputs of GoogLeNet in training mode, and dataclasses name their
    parts.
    """
    if isinstance(value, Mapping):
        parts = [(str(key), part) for key, part in value.items()]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        parts = list(zip(value._fields, value, strict=True))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    elif isinstance(value, (list, tuple)):
        parts = [(str(number), part) for number, part in enumerate(value)]
    elif value is not None:
        yield name, value
        return
    else:
        return
    for key, part in parts:
        yield from flatten(part, f"{name}.{key}")


def write(folder: Path, value: object) -> int:
    """Writes the outputs of a check; returns their number.

    Raises:
        TypeError: an output is neither a tensor nor a number nor text.
    """
    arrays: dict[str, Array] = {}
    names: list[tuple[str, str]] = []
    for name, leaf in flatten(value):
        array, dtype = _as_array(name, leaf)
        arrays[str(len(names))] = array
        names.append((name, dtype))
    with (folder / _ARRAYS).open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    (folder / _NAMES).write_text(json.dumps(names))
    return len(names)


def _as_array(name: str, leaf: object) -> tuple[Array, str]:
    if hasattr(leaf, "detach"):
        return _tensor_as_array(leaf)
    if isinstance(leaf, str):
        return np.frombuffer(leaf.encode(), np.uint8), "text"
    if isinstance(leaf, (bool, int, float, complex, np.generic, np.ndarray)):
        array = np.asarray(leaf)
        return array, str(array.dtype)
    raise TypeError(f"{name} is a {type(leaf).__name__}, which cannot be compared")


def _tensor_as_array(tensor: Any) -> tuple[Array, str]:
    import torch

    given: torch.Tensor = tensor.detach().cpu()
    dtype = str(given.dtype).removeprefix("torch.")
    if given.dtype is torch.bfloat16:
        given = given.float()  # exact, and NumPy has no such type
    return given.contiguous().numpy(), dtype


def read(folder: Path) -> Iterator[tuple[str, str, Array]]:
    """Yields name, type and value of each output, in the order in which `write` stored them."""
    with np.load(folder / _ARRAYS) as arrays:
        for number, (name, dtype) in enumerate(json.loads((folder / _NAMES).read_text())):
            yield name, dtype, arrays[str(number)]
