"""The bench and `verify` with the real torch. One start of torch serves all tests here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from giveway.scenarios.catalog import CLASSIFIERS, SEGMENTERS, SIZES
from giveway.verify import values

if not importlib.util.find_spec("torch"):
    pytest.skip("needs torch", allow_module_level=True)

PROGRAM = Path(__file__).with_name("models_program.py")
VISION = ("resnet18", "vit_b_16", "googlenet", *SEGMENTERS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "tensors").mkdir()
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", VISION)
def test_a_model_of_vision_runs_with_the_same_weights_each_time(
    found: dict[str, Any], name: str
) -> None:
    shape = [1, 1000] if name in CLASSIFIERS else [1, 21, 64, 64]
    assert found[name] == [shape, True]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("gpt2", [2, 3]),
        ("whisper", [1, 4]),
        ("bert", [12, 30522]),
        ("llama", [2, 3]),
        ("llama_eager", [2, 3]),
    ],
)
def test_a_transformer_runs_with_the_same_weights_each_time(
    found: dict[str, Any], name: str, shape: list[int]
) -> None:
    assert found[name] == [shape, True]


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "resnet18", "whisper"])
def test_a_training_starts_from_the_same_weights_each_time(
    found: dict[str, Any], name: str
) -> None:
    loss, same = found[f"train {name}"]
    assert loss > 0
    assert same


def test_a_request_with_two_phases_has_small_batches_first(found: dict[str, Any]) -> None:
    assert found["phases"] == {"batches": [1, 1, 1, 4, 4], "answer": [4, 1000]}


def test_decoding_with_the_cache_is_decoding_without(found: dict[str, Any]) -> None:
    assert len(found["decode"]) == 5
    assert all(cached == anew for cached, anew in found["decode"]), found["decode"]


def test_decoding_of_llama_is_decoding_from_the_whole_text(found: dict[str, Any]) -> None:
    """A second request begins anew, in the caches that the first has used."""
    for said, anew in found["decode llama"]["answers"]:
        assert said == anew
    assert found["decode llama"]["differ"]
    apart, scale = found["steps of llama"]
    assert apart < 1e-4 < 1e-2 < scale


def test_requests_that_are_served_together_have_the_answers_that_they_have_alone(
    found: dict[str, Any],
) -> None:
    """They begin at different times, have different lengths, and change slots."""
    assert found["serve llama"]["together"] == found["serve llama"]["alone"]
    first, second = found["serve llama"]["alone"]
    assert len(set(first)) > 1
    assert first[: len(second)] != second


def test_lora_trains_only_its_own_matrices(found: dict[str, Any]) -> None:
    assert found["train lora"]["fell"]
    parts = {name.rsplit(".", 2)[1] for name in found["train lora"]["changed"]}
    assert parts == {"down", "up"}


def test_products_and_copies_return_a_value(found: dict[str, Any]) -> None:
    assert isinstance(found["matmul"], float)
    assert found["copy"] == 1


def test_what_the_profiler_writes_is_found(found: dict[str, Any]) -> None:
    assert found["profile"] == []  # None: nothing was found


def test_tensors_of_every_type_come_back(found: dict[str, Any], folder: Path) -> None:
    given = found["tensors"]
    read = {name: (dtype, array) for name, dtype, array in values.read(folder / "tensors")}
    assert read["output.torch.bfloat16"][0] == "bfloat16"
    assert read["output.torch.float16"][0] == "float16"
    assert read["output.int64"][0] == "int64"
    for name, numbers in given.items():
        assert read[f"output.{name}"][1].tolist() == numbers, name


def test_the_operators_that_torchvision_lacks_are_declared(found: dict[str, Any]) -> None:
    assert found["fix"] is True


def test_the_published_shapes() -> None:
    assert (SIZES["gpt2"]["layers"], SIZES["gpt2"]["width"]) == (12, 768)
    assert (SIZES["bert"]["layers"], SIZES["bert"]["width"]) == (12, 768)
    assert (SIZES["llama"]["layers"], SIZES["llama"]["width"]) == (16, 2048)
    assert (SIZES["whisper"]["layers"], SIZES["whisper"]["width"]) == (6, 512)
