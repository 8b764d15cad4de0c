"""Compares the outputs of runs, and measures by how much they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, zip_longest
from pathlib import Path
from typing import Any, Final

import numpy as np

from giveway.verify import values
from giveway.verify.values import Array

TOLERANCES: Final = {
    "float64": 1e-12,
    "complex128": 1e-12,
    "float32": 1e-5,
    "complex64": 1e-5,
    "float16": 2e-3,
    "bfloat16": 1.6e-2,
}
"""The largest difference of an output that is allowed if the device is not deterministic, by type:
the largest absolute difference over the largest absolute value of the output. The values are a few
units in the last place after a sum of thousands of terms. All other types must be equal."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of one output between two runs."""

    output: str
    dtype: str
    largest_abs: float
    largest_rel: float
    """The largest relative difference of a single value, relative to the first run."""
    scaled: float
    """``largest_abs`` over the largest absolute value of the output in the first run."""
    different: int
    values: int
    what: str = "value"
    """``value``; or ``shape``, ``type`` or ``name`` if the outputs cannot be compared."""

    def __str__(self) -> str:
        if self.what != "value":
            return f"{self.output} differs in {self.what}"
        return (
            f"{self.output} ({self.dtype}) differs in {self.different} of {self.values} values, by "
            f"at most {self.largest_abs:.3g} absolute, {self.largest_rel:.3g} relative"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            key: value if not isinstance(value, float) or np.isfinite(value) else str(value)
            for key, value in asdict(self).items()
        }


def differences(first: Path, second: Path) -> list[Difference]:
    """The outputs that are not bitwise equal in the runs of two folders, in order."""
    found: list[Difference] = []
    for one, other in zip_longest(values.read(first), values.read(second)):
        if one is None or other is None or one[0] != other[0]:
            name = (one or other or ("?",))[0]
            return [*found, _incomparable(name, "?", "name")]
        name, dtype, expected = one
        _, other_dtype, given = other
        if dtype != other_dtype:
            found.append(_incomparable(name, f"{dtype}, {other_dtype}", "type"))
        elif expected.shape != given.shape:
            found.append(_incomparable(name, dtype, "shape"))
        elif expected.tobytes() != given.tobytes():
            found.append(_measure(name, dtype, expected, given))
    return found


def _incomparable(name: str, dtype: str, what: str) -> Difference:
    infinite = float("inf")
    return Difference(name, dtype, infinite, infinite, infinite, 0, 0, what)


def _measure(name: str, dtype: str, expected: Array, given: Array) -> Difference:
    wide = np.complex128 if np.iscomplexobj(expected) else np.float64
    one, other = expected.astype(wide).ravel(), given.astype(wide).ravel()
    with np.errstate(all="ignore"):
        apart = np.abs(one - other)
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        # A value that is infinite or NaN in only one of the runs counts as infinitely wrong.
        apart = np.where(same, 0, np.where(np.isfinite(apart), apart, np.inf))
        relative = np.where(same, 0, apart / np.abs(one))
        scale = np.max(np.abs(one[np.isfinite(one)]), initial=0)
    return Difference(
        output=name,
        dtype=dtype,
        largest_abs=float(apart.max()),
        largest_rel=float(relative.max()),
        scaled=float(apart.max() / scale) if scale else float(np.inf if apart.any() else 0),
        different=int((~same).sum()),
        values=one.size,
    )


def vacuous(folder: Path) -> str | None:
    """Why equal outputs would prove nothing: there are none, or one has no finite value. Else None.

    Not a number is equal to itself, whatever was computed.
    """
    compared = 0
    for name, _, array in values.read(folder):
        compared += array.size
        if array.size and array.dtype.kind in "fc" and not np.isfinite(array).any():
            return f"{name} has no finite value: equal outputs prove nothing"
    return None if compared else "the check has no output: nothing was compared"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of comparing a run under giveway with plain runs."""

    same: bool
    how: str
    """``bitwise`` or ``tolerance``."""
    first: Difference | None
    """The first output that differs by more than the tolerance, else the first that differs."""
    plain_runs: int
    plain_agree: bool | None
    """Whether all plain runs were bitwise equal; None if they were not compared."""
    outputs: int

    def to_json(self) -> dict[str, Any]:
        first = None if self.first is None else self.first.to_json()
        return {
            "how": self.how,
            "outputs": self.outputs,
            "plain_runs": self.plain_runs,
            "plain_agree": self.plain_agree,
            "first_difference": first,
        }


def judge(given: Path, plain: Sequence[Path]) -> Verdict:
    """Compares the run under giveway with one or more plain runs of the same seed.

    If any plain run is bitwise equal, the verdict is ``bitwise``. Otherwise, the difference between
    an output and the nearest plain run may exceed neither the tolerance of its type nor the largest
    difference between two plain runs in any output of that type. An output that is bitwise equal in
    all plain runs must have that value.

    The nearest run is chosen for each output, and the spread is taken over all outputs of a type,
    because there are many outputs: among hundreds of gradients, one always differs by more than it
    did in a handful of plain runs.

    Args:
        given: the folder of the run under giveway.
        plain: the folders of the plain runs.
    """
    outputs = sum(1 for _ in values.read(plain[0]))
    found = [differences(each, given) for each in plain]
    if not all(found):
        return Verdict(True, "bitwise", None, len(plain), None, outputs)
    varying: set[str] = set()
    spread: dict[str, float] = {}
    for one, other in combinations(plain, 2):
        for each in differences(one, other):
            varying.add(each.output)
            spread[each.dtype] = max(spread.get(each.dtype, 0.0), each.scaled)
    nearest = _nearest(found)
    wrong = [
        each
        for each in nearest
        if each.output not in varying
        or each.scaled > min(spread.get(each.dtype, 0.0), TOLERANCES.get(each.dtype, 0.0))
    ]
    # None if each output is bitwise equal to that of some plain run.
    first = next(iter([*wrong, *nearest]), None)
    agree = not varying if len(plain) > 1 else None
    return Verdict(not wrong, "tolerance", first, len(plain), agree, outputs)


def _nearest(found: list[list[Difference]]) -> list[Difference]:
    """The smallest difference of each output that differs from all plain runs, in order."""
    by_output = [{each.output: each for each in differs} for differs in found]
    common = [name for name in by_output[0] if all(name in differs for differs in by_output)]
    return [
        min((differs[name] for differs in by_output), key=lambda each: each.scaled)
        for name in common
    ]
