"""Unit tests start no process, compile nothing and read no clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.purity import neither_process_nor_clock


@pytest.fixture(autouse=True)
def pure(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with neither_process_nor_clock(monkeypatch):
        yield
