"""How programs are started in each mode, and which modes a machine has."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest

from giveway.bench import modes
from giveway.errors import UsageError
from giveway.results.names import mode_name
from giveway.scenarios.model import Arrivals, Program, Scenario
from giveway.scenarios.modes import MODES, gated, named, ordered, split, tolerance, uses_mps

SATURATING = Arrivals("saturating")
HIGH = Program("a", SATURATING, 3, "resnet18", environment={"MINE": "1"})
MIDDLE = Program("b", SATURATING, 2, "resnet18", hints={"GIVEWAY_LINGER_MS": "7"})
LOW = Program("c", SATURATING, 1, "resnet18")
THREE = Scenario("three", "Three", (HIGH, MIDDLE, LOW))


def test_alone_and_native_are_the_program_as_it_is() -> None:
    for mode in ("alone", "native"):
        setup = modes.setup(mode, "cpu", THREE, HIGH)
        assert setup.environment == {**os.environ, "MINE": "1"}
        assert (setup.prefix, setup.stream) == ((), None)


def test_giveway_gates_by_priority_with_the_hints() -> None:
    setup = modes.setup("giveway", "cpu", THREE, MIDDLE)
    assert setup.environment["GIVEWAY_PRIORITY"] == "2"
    assert setup.environment["GIVEWAY_NAME"] == "bench-b"
    assert setup.environment["GIVEWAY_LINGER_MS"] == "7"
    assert "libgiveway-cpu.so" in setup.environment["LD_PRELOAD"]
    assert "GIVEWAY_LINGER_MS" not in modes.setup("native", "cpu", THREE, MIDDLE).environment


def test_giveway_sets_the_threads_that_a_quota_pays_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    limited = dataclasses.replace(HIGH, quota=2.5)
    assert modes.setup("giveway", "cpu", THREE, limited).environment["OMP_NUM_THREADS"] == "2"
    for program, mode in ((limited, "native"), (HIGH, "giveway")):
        assert "OMP_NUM_THREADS" not in modes.setup(mode, "cpu", THREE, program).environment
    decided = dataclasses.replace(limited, environment={"OMP_NUM_THREADS": "5"})
    assert modes.setup("giveway", "cpu", THREE, decided).environment["OMP_NUM_THREADS"] == "5"


def test_nice_follows_the_order_of_priorities() -> None:
    prefixes = [modes.setup("nice", "cpu", THREE, each).prefix for each in THREE.programs]
    assert prefixes == [(), ("nice", "-n", "10"), ("nice", "-n", "19")]


def test_streams_and_mps_know_two_priorities() -> None:
    streams = [modes.setup("streams", "cuda", THREE, each).stream for each in THREE.programs]
    assert streams == [-5, 0, 0]
    found = [modes.setup("mps", "cuda", THREE, each, "/mps").environment for each in THREE.programs]
    assert [each["CUDA_MPS_CLIENT_PRIORITY"] for each in found] == ["0", "1", "1"]
    assert {each["CUDA_MPS_PIPE_DIRECTORY"] for each in found} == {"/mps"}


def test_mps_and_giveway_together_set_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def gate(base: Any, device: str, priority: int, *_: object) -> dict[str, str]:
        return {**base, "GIVEWAY_DEVICE": device, "GIVEWAY_PRIORITY": str(priority)}

    monkeypatch.setattr(modes.launch, "environment", gate)  # this machine may have no GPU
    found = [modes.setup("mps+giveway", "cuda", THREE, each, "/mps") for each in THREE.programs]
    of = [each.environment for each in found]
    assert [each["CUDA_MPS_CLIENT_PRIORITY"] for each in of] == ["0", "1", "1"]
    assert [each["GIVEWAY_PRIORITY"] for each in of] == ["3", "2", "1"]
    assert {each["CUDA_MPS_PIPE_DIRECTORY"] for each in of} == {"/mps"}


@pytest.mark.parametrize(
    ("mode", "said"), [("giveway 10%", "slowdown=10"), ("giveway 2.5%", "slowdown=2.5")]
)
def test_the_urgent_program_alone_tolerates_a_slowdown(mode: str, said: str) -> None:
    found = [modes.setup(mode, "cpu", THREE, each).environment for each in THREE.programs]
    assert found[0]["GIVEWAY_ATTRIBUTES"] == said
    assert ["GIVEWAY_ATTRIBUTES" in each for each in found[1:]] == [False, False]


def test_a_mode_is_named_as_users_write_it() -> None:
    assert named("giveway10%") == named(" giveway  10 %".replace("  ", " ")) == "giveway 10%"
    assert named("mps+giveway 2.50%") == "mps+giveway 2.5%"
    for wrong in ("giveway 101%", "native 10%", "giveway 10", "giveway -5%", "mps+giveway%", ""):
        with pytest.raises(ValueError, match=r'there are alone, .*"giveway N%"'):
            named(wrong)


def test_modes_come_in_one_order() -> None:
    mixed = ["nice", "giveway 30%", "giveway 0%", "mps", "giveway", "alone", "mps+giveway 10%"]
    assert ordered(mixed) == (
        "alone", "giveway", "giveway 0%", "giveway 30%", "mps+giveway 10%", "mps", "nice",
    )  # fmt: skip
    assert ordered(reversed(MODES)) == MODES


def test_a_quick_measurement_has_the_percentages_of_its_scenarios() -> None:
    ways = ("alone", "native", "mps", "giveway 0%", "giveway 10%", "mps+giveway 10%")
    tolerant = dataclasses.replace(THREE, modes=ways)
    assert modes.wanted(THREE, "cpu", quick=True) == ("alone", "native", "giveway")
    few = ("alone", "native", "giveway 0%", "giveway 10%")
    assert modes.wanted(tolerant, "cpu", quick=True) == few
    assert modes.wanted(tolerant, "cpu") == ordered(ways)
    assert modes.wanted(THREE, "cpu") == MODES
    with pytest.raises(UsageError, match="three has no mode of --quick"):
        modes.wanted(dataclasses.replace(THREE, modes=("nice",)), "cpu", quick=True)


def test_what_the_user_names_is_measured_or_refused() -> None:
    few = dataclasses.replace(THREE, modes=("alone", "giveway 0%"))
    named = ("giveway 1%", "native", "alone", "alone")
    for quick in (False, True):
        assert modes.wanted(few, "cpu", named, quick) == ("alone", "native", "giveway 1%")
    why = "three cannot be measured in the mode mps: the device cpu does not support it"
    for own in (few, THREE):
        with pytest.raises(UsageError, match=why):
            modes.wanted(own, "cpu", ("alone", "mps"))
    # What only the scenario names is left out, and the result says why.
    assert modes.wanted(dataclasses.replace(THREE, modes=("alone", "mps")), "cpu")[1] == "mps"
    with pytest.raises(UsageError, match=why):
        modes.wanted(dataclasses.replace(THREE, modes=("mps",)), "cpu")


@pytest.mark.parametrize("mode", [*MODES, "giveway 0%", "mps+giveway 30%"])
def test_a_name_says_what_a_mode_is(mode: str) -> None:
    assert gated(mode) == ("giveway" in mode)
    assert uses_mps(mode) == ("mps" in mode)
    assert (tolerance(mode) is not None) == ("%" in mode)
    assert split(mode) == (mode, "")
    assert split(f"{mode} high") == (mode, "high")
    assert ("MPS" in mode_name(mode)) == ("mps" in mode)


@pytest.mark.parametrize(
    ("mode", "device", "reason"),
    [
        ("alone", "cpu", None),
        ("native", "cuda", None),
        ("giveway", "hip", None),
        ("nice", "cpu", None),
        ("nice", "cuda", "nice affects only processors"),
        ("streams", "cpu", "the device cpu does not support it"),
        ("streams", "cuda", None),
        ("mps+giveway", "cpu", "the device cpu does not support it"),
        ("mps+giveway", "cuda", "the program nvidia-cuda-mps-control is not installed"),
        ("giveway 10%", "cpu", None),
        ("mps", "hip", "the device hip does not support it"),
        ("mps", "cuda", "the program nvidia-cuda-mps-control is not installed"),
    ],
)
def test_modes_that_are_missing_say_why(
    monkeypatch: pytest.MonkeyPatch, mode: str, device: str, reason: str | None
) -> None:
    monkeypatch.setattr(modes.shutil, "which", lambda name: name if name == "nice" else None)
    assert modes.missing(mode, device, THREE) == reason


def test_modes_that_make_no_sense() -> None:
    apart = dataclasses.replace(THREE, together=False)
    assert modes.missing("native", "cpu", apart) == "its programs run one at a time"
    assert modes.missing("giveway", "cpu", apart) is None
    assert modes.missing("giveway 10%", "cpu", apart) is None
    command = dataclasses.replace(THREE, programs=(Program("d", SATURATING, command=("x",)),))
    assert modes.missing("streams", "cuda", command) == "a command chooses its own streams"
