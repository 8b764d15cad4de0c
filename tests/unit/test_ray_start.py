"""The start of a Ray worker under giveway, and the warning of a worker that cannot be gated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from giveway import devices
from giveway.devices import Device
from giveway.devices.drivers import Verdict
from giveway.ray import start
from giveway.ray.worker_start import WorkerStart

NODE = os.uname().nodename


class Became(Exception):  # noqa: N818
    """Raised in place of exec."""


def became(
    monkeypatch: pytest.MonkeyPatch,
    verdict: Verdict,
    options: WorkerStart = WorkerStart(5, "cuda"),  # noqa: B008  # it is frozen
    device: str = "cuda",
) -> dict[str, str]:
    """Starts a worker on a GPU whose driver has this verdict; the variables about its memory."""
    gpu = Device(device, "", Path("/hook"), {}, find_gpus=list)
    gpu.__dict__["verdict"] = verdict

    environment = {}

    def execute(program: str, command: list[str], env: dict[str, str] | None = None) -> NoReturn:
        environment.update(env or {})
        raise Became(command)

    monkeypatch.setattr(devices, "choose", lambda name: gpu)
    monkeypatch.setattr(os, "execv", execute)
    monkeypatch.setattr(Device, "environment", lambda self, base: {})
    monkeypatch.setattr(os, "execvpe", execute)
    with pytest.raises(Became):
        start.worker(options.to_text(), ["python", "worker.py"])
    wanted = ("GIVEWAY_MEMORY", "GIVEWAY_RESERVE", "GIVEWAY_PARKABLE")
    return {name: value for name, value in environment.items() if name in wanted}


def test_a_worker_whose_driver_cannot_be_gated_is_none_of_giveways(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    became(monkeypatch, Verdict(Path("/lib"), "CUDA", None, ("is strange",), (), None))
    expected = f"giveway: on {NODE} /lib is strange; nothing is gated: a worker runs ungated\n"
    assert capfd.readouterr().err == expected


def test_what_there_is_to_know_about_a_driver_is_said_with_the_node(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hook = Path("/hook")
    became(monkeypatch, Verdict(Path("/lib"), "CUDA", "interposition", ("is new",), (), hook))
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"giveway: on {NODE} /lib is new; interposing")


def test_a_worker_has_its_memory_and_may_be_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Verdict(Path("/lib"), "CUDA", "impersonation", (), (), Path("/hook"))
    options = WorkerStart(memory="50%", reserve="1GiB", parkable=True)
    expected = {"GIVEWAY_MEMORY": "50%", "GIVEWAY_RESERVE": "1073741824"}
    assert became(monkeypatch, known, options) == {**expected, "GIVEWAY_PARKABLE": "1"}
    assert became(monkeypatch, known, options, "hip") == expected
