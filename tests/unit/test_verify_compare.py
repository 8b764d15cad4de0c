"""Equal and different numbers, and the report of a difference."""

from __future__ import annotations

import json
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from giveway.verify import values
from giveway.verify.compare import TOLERANCES, differences, judge, vacuous

Save = Callable[[object], Path]
Outputs = namedtuple("Outputs", ["logits", "aux_logits2", "aux_logits1"])


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes the numbers of a run. Returns the folder."""

    def write(value: object) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        values.write(folder, value)
        return folder

    return write


def single(*numbers: float) -> np.ndarray[Any, Any]:
    return np.array(numbers, np.float32)


def test_names_lead_to_the_outputs() -> None:
    @dataclass
    class Pair:
        left: int
        right: object

    nest = {"a": [1, (2.0, None)], "b": Outputs(3, None, "x"), "c": Pair(4, {"d": True})}
    assert list(values.flatten(nest)) == [
        ("output.a.0", 1),
        ("output.a.1.0", 2.0),
        ("output.b.logits", 3),
        ("output.b.aux_logits1", "x"),
        ("output.c.left", 4),
        ("output.c.right.d", True),
    ]


def test_what_cannot_be_compared_is_an_error(save: Save) -> None:
    with pytest.raises(TypeError, match=r"output\.x is a object"):
        save({"x": object()})


def test_the_same_bits_are_the_same(save: Save) -> None:
    value = {"x": single(1, np.nan, np.inf), "n": 3, "text": "same"}
    verdict = judge(save(value), [save(value)])
    assert (verdict.same, verdict.how, verdict.first, verdict.outputs) == (True, "bitwise", None, 3)


def test_the_first_output_that_differs_is_named_and_measured(save: Save) -> None:
    plain = {"same": single(5), "x": single(1, 2, 4), "y": single(1)}
    other = {"same": single(5), "x": single(1, 2.5, 3), "y": single(2)}
    verdict = judge(save(other), [save(plain)])
    first = verdict.first
    assert not verdict.same
    assert first is not None
    assert (first.output, first.dtype, first.what) == ("output.x", "float32", "value")
    assert (first.largest_abs, first.largest_rel, first.scaled) == (1, 0.25, 0.25)
    assert (first.different, first.values) == (2, 3)
    assert str(first) == (
        "output.x (float32) differs in 2 of 3 values, by at most 1 absolute, 0.25 relative"
    )


@pytest.mark.parametrize(
    ("plain", "other", "what", "output"),
    [
        ({"x": single(1)}, {"x": single(1, 1)}, "shape", "output.x"),
        ({"x": single(1)}, {"x": np.ones(1)}, "type", "output.x"),
        ({"x": 1, "y": 2}, {"x": 1, "z": 2}, "name", "output.y"),
        ({"x": 1, "y": 2}, {"x": 1}, "name", "output.y"),
        ({"x": 1}, {"x": 1, "y": 2}, "name", "output.y"),
    ],
)
def test_what_cannot_even_be_compared_differs(
    save: Save, plain: object, other: object, what: str, output: str
) -> None:
    plain_runs = [save(plain), save(plain)]
    verdict = judge(save(other), plain_runs)
    assert not verdict.same
    assert verdict.first is not None
    assert (verdict.first.what, verdict.first.output) == (what, output)
    json.dumps(verdict.to_json(), allow_nan=False)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_a_number_in_one_run_alone_is_as_wrong_as_can_be(save: Save, bad: float) -> None:
    (found,) = differences(save(single(1, 2)), save(single(1, bad)))
    assert found.largest_abs == found.scaled == np.inf
    assert found.to_json()["largest_abs"] == "inf"
    plain = [save(single(1, 2)), save(single(1, 2.1))]
    assert not judge(save(single(1, bad)), plain).same


def test_a_difference_passes_where_plain_runs_differ_as_much(save: Save) -> None:
    plain = [save(single(1, 1)), save(single(1, 1 + 4e-6))]
    assert judge(save(single(1, 1 + 3e-6)), plain).same
    assert judge(save(single(1, 1 + 3e-6)), plain).how == "tolerance"
    assert not judge(save(single(1, 1 + 9e-6)), plain).same, "further off than the plain runs"
    assert not judge(save(single(1 + 3e-6, 1)), [plain[0], plain[0]]).same, "these agree"


def test_a_noisy_device_excuses_no_more_than_the_tolerance(save: Save) -> None:
    plain = [save(single(1)), save(single(2))]
    assert not judge(save(single(1.4)), plain).same
    assert judge(save(single(1 + TOLERANCES["float32"] / 2)), plain).same


def test_whole_numbers_have_no_tolerance(save: Save) -> None:
    plain = [save({"n": 100}), save({"n": 110})]
    assert not judge(save({"n": 105}), plain).same


def test_one_noisy_output_excuses_no_other(save: Save) -> None:
    plain = [save({"a": single(1), "b": single(1)}), save({"a": single(1 + 4e-6), "b": single(1)})]
    verdict = judge(save({"a": single(1 + 2e-6), "b": single(1 + 2e-6)}), plain)
    assert not verdict.same
    assert verdict.first is not None
    assert verdict.first.output == "output.b"


def test_each_output_may_be_near_to_another_plain_run(save: Save) -> None:
    plain = [save({"a": single(1), "b": single(2)}), save({"a": single(3), "b": single(4)})]
    mixed = judge(save({"a": single(1), "b": single(4)}), plain)
    assert mixed.same
    assert mixed.first is None


def test_the_spread_is_that_of_all_outputs_of_a_type(save: Save) -> None:
    plain = [save({"a": single(1, 1), "b": single(1, 1)})]
    plain += [save({"a": single(1, 1 + 8e-6), "b": single(1, 1 + 1e-6)})]
    assert judge(save({"a": single(1, 1), "b": single(1, 1 + 4e-6)}), plain).same
    wide = {"a": np.ones(2), "b": np.array([1, 1 + 4e-6])}
    assert not judge(save(wide), plain).same


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"x": single(1, np.nan)}, None),
        ({"x": single(0, 0)}, None),
        ({"text": "same", "empty": np.zeros(0)}, None),
        ({"x": single(1), "loss": single(np.nan, np.inf)}, "output.loss has no finite value"),
        ({"loss": None, "gradients": {}}, "the check has no output"),
        ({"empty": np.zeros(0)}, "the check has no output"),
    ],
)
def test_what_proves_nothing_is_named(save: Save, value: object, why: str | None) -> None:
    found = vacuous(save(value))
    assert (found is None) == (why is None)
    assert why is None or (found or "").startswith(why)


@settings(max_examples=50, deadline=None)
@given(runs=st.lists(st.lists(st.floats(width=32), min_size=2, max_size=2), min_size=2, max_size=4))
def test_any_numbers_get_a_verdict(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[float]]
) -> None:
    folders = []
    for run in runs:
        folders.append(tmp_path_factory.mktemp("run"))
        values.write(folders[-1], single(*run))
    verdict = judge(folders[0], folders[1:])
    bits = [single(*run).tobytes() for run in runs]
    if bits[0] in bits[1:]:
        assert verdict.same
    json.dumps(verdict.to_json(), allow_nan=False)
