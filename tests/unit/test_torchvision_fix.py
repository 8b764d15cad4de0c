"""The import of torchvision, with stand-ins for torchvision."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from giveway.models.torchvision_fix import import_torchvision

Installed = Callable[[str], None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Makes these lines the torchvision that is found."""

    def write(body: str) -> None:
        (tmp_path / "torchvision.py").write_text(body)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(sys.modules, "torchvision", None)  # type: ignore[arg-type]
        del sys.modules["torchvision"]

    return write


def test_nothing_is_done_where_torchvision_works(installed: Installed) -> None:
    installed("name = 'it'")
    assert import_torchvision().name == "it"  # nor is torch imported, which no unit test may


def test_other_errors_are_left_alone(installed: Installed) -> None:
    installed("raise RuntimeError('something else')")
    with pytest.raises(RuntimeError, match="something else"):
        import_torchvision()
