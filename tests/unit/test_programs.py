"""Which programs under `giveway run` count as not gated."""

from __future__ import annotations

import psutil

from giveway.observe import programs


def tree(*lines: tuple[int, int, int]) -> dict[int, programs._Process]:
    """Processes as (pid, parent, the GIVEWAY_RUN they inherited)."""
    nobody = psutil.Process()
    return {pid: programs._Process(nobody, parent, {}, run) for pid, parent, run in lines}


def test_a_task_counts_for_the_program_and_all_above_it() -> None:
    # 10 is a shell script, 11 a nested `giveway run` in it, 12 a worker of that; 20 is apart.
    processes = tree((10, 1, 10), (11, 10, 11), (12, 11, 11), (20, 1, 20))
    assert programs._with_ancestors({12}, processes) >= {10, 11, 12}
    assert 20 not in programs._with_ancestors({12}, processes)


def test_a_task_of_the_parent_does_not_count_for_its_child() -> None:
    processes = tree((10, 1, 10), (11, 10, 11))
    assert 11 not in programs._with_ancestors({10}, processes)


def test_an_orphan_still_counts_for_its_program() -> None:
    processes = tree((10, 1, 10), (12, 1, 10))
    assert 10 in programs._with_ancestors({12}, processes)
