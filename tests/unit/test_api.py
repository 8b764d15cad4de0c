"""The Python API in a program that giveway did not start."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import giveway


def test_nothing_runs_before_anything_has() -> None:
    assert giveway.tasks() == []
    assert giveway.current() is None


@pytest.mark.filterwarnings("ignore:giveway")
def test_a_block_gives_the_thread_a_task_and_takes_it_back() -> None:
    with giveway.task(priority=7, name="mine") as mine:
        assert mine is not None
        assert (mine.priority, mine.name, mine.is_thread, mine.state) == (7, "mine", True, "idle")
        assert giveway.current() == mine
        assert [task.ticket for task in giveway.tasks()] == [mine.ticket]
    assert giveway.current() is None
    assert giveway.tasks() == []


@pytest.mark.filterwarnings("ignore:giveway")
def test_blocks_nest_and_belong_to_their_thread() -> None:
    seen = []
    with giveway.task(name="outer") as outer:
        with giveway.task(name="inner") as inner:
            assert giveway.current() == inner
            thread = threading.Thread(target=lambda: seen.append(giveway.current()))
            thread.start()
            thread.join()
        assert giveway.current() == outer
    assert seen == [None]


@pytest.mark.filterwarnings("ignore:giveway")
def test_an_error_in_the_block_ends_the_task() -> None:
    with pytest.raises(KeyError), giveway.task():
        raise KeyError
    assert giveway.tasks() == []


@pytest.mark.parametrize("priority", [-1001, 1001])
def test_a_priority_out_of_range_is_refused(priority: int) -> None:
    with pytest.raises(giveway.UsageError, match="-1000…1000"), giveway.task(priority=priority):
        pass


def test_a_page_that_cannot_be_used_leaves_the_block_ungated(
    giveway_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_DIR", "/proc/nowhere")
    ran = False
    with pytest.warns(RuntimeWarning, match="running ungated: .*directory"), giveway.task() as task:
        ran = task is None
    assert ran


def test_a_damaged_page_is_an_error_to_those_who_look(giveway_dir: Path) -> None:
    giveway_dir.mkdir(mode=0o700)
    (giveway_dir / "cpu.page").write_bytes(b"\x5a" * 100_000)
    with pytest.raises(giveway.PageError, match="damaged"):
        giveway.tasks()
