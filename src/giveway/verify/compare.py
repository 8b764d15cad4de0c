"""Whether two runs computed the same, and by how much they differ if not."""

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
"""The most that an output may differ where the device itself is not deterministic: largest absolute
difference over the largest absolute value of the output, some units in the last place of a type
that a sum of thousands has rounded. All other types have to be equal."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How one output of two runs differs."""

    output: str
    dtype: str
    largest_abs: float
    largest_rel: float
    """Of a single value, to the value of the first run."""
    scaled: float
    """``largest_abs`` over the largest absolute value of the output in the first run."""
    different: int
    values: int
    what: str = "value"
    """``value``; or ``shape``, ``type``, ``name`` where the outputs cannot even be compared."""

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
    """The outputs in which the runs in two folders differ, in order; bit for bit."""
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
        # What is infinite or not a number in one run alone is as wrong as can be.
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison of a run under giveway with plain runs came to."""

    same: bool
    how: str
    """``bitwise`` or ``tolerance``."""
    first: Difference | None
    """The first output that differs by more than is allowed, else the first that differs."""
    plain_runs: int
    plain_agree: bool | None
    """Whether these were all the same, bit for bit; None where that was not looked at."""
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
    """Compares the run under giveway with one or several plain ones of the same seed.

    Bit for bit where that is how it turns out. Otherwise no output may be further from the nearest
    plain run than its type's tolerance, nor than two plain runs are apart in some output of that
    type; and an output in which all plain runs agree bit for bit has to be as they have it.

    That the nearest run is another one for each output, and the spread is one for all outputs of
    a type, is because of how many outputs there are: of hundreds of gradients, one or another is
    always further off than it was in a handful of plain runs.
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
    # There is none where each output is, bit for bit, as one plain run or another has it.
    first = next(iter([*wrong, *nearest]), None)
    agree = not varying if len(plain) > 1 else None
    return Verdict(not wrong, "tolerance", first, len(plain), agree, outputs)


def _nearest(found: list[list[Difference]]) -> list[Difference]:
    """Of each output that is as no plain run has it, the smallest difference, in order."""
    by_output = [{each.output: each for each in differs} for differs in found]
    common = [name for name in by_output[0] if all(name in differs for differs in by_output)]
    return [
        min((differs[name] for differs in by_output), key=lambda each: each.scaled)
        for name in common
    ]
