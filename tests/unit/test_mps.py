"""Which programs become clients of MPS, with which priority, and what keeps others from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from giveway.devices import mps
from giveway.devices.mps import Daemon
from giveway.errors import GivewayError

FOLDER = Path("/pipes")
GPU = "GPU-fafafafa-fafa-fafa-fafa-fafafafafa00"


class Fake(Daemon):
    """A control daemon that does not exist, started with certain settings."""

    __slots__ = ()
    started_with: dict[str, str] = {}  # noqa: RUF012

    def settings(self) -> dict[str, str]:
        return self.started_with


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A control daemon of this user runs."""
    found = Fake(FOLDER, os.geteuid(), 1, ())
    monkeypatch.setattr(mps, "ask", lambda folder: found)
    return monkeypatch


@pytest.mark.parametrize(("priority", "client"), [(10, "0"), (1, "0"), (0, "1"), (-5, "1")])
@pytest.mark.usefixtures("running")
def test_the_priority_of_the_task_is_that_of_the_client(priority: int, client: str) -> None:
    env = {"HOME": "/home/me"}
    assert mps.use(env, priority, False) is None
    assert env == {
        "HOME": "/home/me",
        "CUDA_MPS_PIPE_DIRECTORY": "/pipes",
        "CUDA_MPS_LOG_DIRECTORY": "/pipes",
        "CUDA_MPS_CLIENT_PRIORITY": client,
    }


@pytest.mark.usefixtures("running")
def test_the_users_own_priority_is_kept_and_that_of_a_parent_is_not() -> None:
    for inherited, client in ((False, "1"), (True, "0")):
        env = {"CUDA_MPS_CLIENT_PRIORITY": "1"}
        assert mps.use(env, 5, inherited) is None
        assert env["CUDA_MPS_CLIENT_PRIORITY"] == client


def test_without_a_control_daemon_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mps, "ask", lambda folder: None)
    env = {"HOME": "/home/me"}
    assert mps.use(env, 5, False) is None
    assert env == {"HOME": "/home/me"}
    assert mps.describe(env) is None


def test_the_folder_that_the_user_names_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(mps, "ask", asked.append)
    mps.find({})
    assert asked == [mps.own_folder(), mps.USUAL]
    asked.clear()
    mps.find({"CUDA_MPS_PIPE_DIRECTORY": "/mine"})
    assert asked == [Path("/mine")]


def test_that_of_another_user_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Fake(FOLDER, os.geteuid() + 1, 1, ())
    monkeypatch.setattr(mps, "ask", lambda folder: other)
    env: dict[str, str] = {}
    why = f"MPS in /pipes belongs to user {other.user}"
    assert mps.use(env, 5, False) == f"{why}: the program runs without it"
    assert mps.describe({}) == f"{why}: programs run without it"
    assert env == {"CUDA_MPS_PIPE_DIRECTORY": str(mps.own_folder().with_name("no-mps"))}


def test_one_with_other_gpus_is_not_used(running: pytest.MonkeyPatch) -> None:
    running.setattr(Fake, "started_with", {"CUDA_VISIBLE_DEVICES": GPU})
    env = {"CUDA_VISIBLE_DEVICES": GPU}
    assert mps.use(env, 5, False) is None
    assert mps.use({"CUDA_VISIBLE_DEVICES": "1"}, 5, False) == (
        f"MPS in /pipes runs with other settings (CUDA_VISIBLE_DEVICES={GPU}): the program runs"
        " without it"
    )


def test_a_second_start_with_other_settings_is_refused(running: pytest.MonkeyPatch) -> None:
    running.setattr(mps, "check_installed", lambda: None)
    running.setattr(Fake, "started_with", {"CUDA_VISIBLE_DEVICES": GPU})
    running.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(GivewayError, match=rf"\(CUDA_VISIBLE_DEVICES={GPU}, not no variables\)"):
        mps.start()
    running.setenv("CUDA_VISIBLE_DEVICES", GPU)
    assert mps.start().folder == FOLDER


def test_numbers_of_gpus_are_not_handed_to_the_control_daemon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for given, expected in (("1", None), (GPU, GPU)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert mps.daemon_environment(FOLDER).get("CUDA_VISIBLE_DEVICES") == expected
