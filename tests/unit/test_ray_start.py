"""The start of a Ray worker under giveway, and the warning of a worker that cannot be gated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from giveway import devices, launch
from giveway.devices import Device
from giveway.devices.drivers import Verdict
from giveway.ray import start
from giveway.ray.worker_start import WorkerStart

NODE = os.uname().nodename


class Became(Exception):  # noqa: N818
    """Raised in place of exec."""


def became(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    """Starts a worker on a GPU whose driver has this verdict."""
    gpu = Device("cuda", "", Path("/hook"), {})
    gpu.__dict__["verdict"] = verdict

    def execute(program: str, command: list[str], *_: object) -> NoReturn:
        raise Became(command)

    monkeypatch.setattr(devices, "choose", lambda name: gpu)
    monkeypatch.setattr(os, "execv", execute)
    monkeypatch.setattr(launch, "_environment", lambda *_: {})
    monkeypatch.setattr(os, "execvpe", execute)
    with pytest.raises(Became):
        start.worker(WorkerStart(5, "cuda").to_text(), ["python", "worker.py"])


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
