"""The stream gate in doctor, by the place of the pages and the user's settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from giveway.devices.stream_gate import DEFAULT_US, stream_gate


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of mounts, in which the pages' folder is on a tmpfs."""
    monkeypatch.setenv("GIVEWAY_DIR", str(tmp_path / "not" / "there" / "yet"))
    monkeypatch.delenv("GIVEWAY_STREAM_GATE_US", raising=False)
    return mounted(tmp_path, "tmpfs")


def mounted(folder: Path, kind: str) -> Path:
    device = folder.stat().st_dev
    listed = folder / "mountinfo"
    listed.write_text(
        f"21 1 0:99999 / /elsewhere rw shared:1 - proc proc rw\n"
        f"22 1 {os.major(device)}:{os.minor(device)} / / rw,noatime - {kind} /dev/x rw\n"
    )
    return listed


def test_in_memory(mounts: Path) -> None:
    supported, reason = stream_gate(DEFAULT_US, mounts)
    assert supported
    assert "250 µs" in reason


def test_on_a_disk(mounts: Path) -> None:
    supported, reason = stream_gate(DEFAULT_US, mounted(mounts.parent, "ext4"))
    assert not supported
    assert "ext4" in reason


@pytest.mark.parametrize(("value", "supported"), [("0", False), ("100", True), ("what", True)])
def test_as_the_user_says(
    mounts: Path, monkeypatch: pytest.MonkeyPatch, value: str, supported: bool
) -> None:
    monkeypatch.setenv("GIVEWAY_STREAM_GATE_US", value)
    assert stream_gate(DEFAULT_US, mounts).supported is supported


def test_off_where_nobody_asked_for_it(mounts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not stream_gate(0, mounts).supported
    monkeypatch.setenv("GIVEWAY_STREAM_GATE_US", "250")
    assert stream_gate(0, mounts).supported


def test_unreadable_mounts(mounts: Path) -> None:
    assert stream_gate(DEFAULT_US, mounts / "none").supported
