"""CPU quotas of control groups of both versions, and the threads that fit into them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from giveway.devices import quota
from giveway.devices.quota import Quota


def put(mount: Path, name: str, text: str) -> Path:
    path = mount / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_smallest_quota_of_the_groups_above_counts(tmp_path: Path) -> None:
    put(tmp_path, "pod/cpu.max", "150000 100000\n")
    put(tmp_path, "pod/cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 3\n")
    put(tmp_path, "pod/box/cpu.max", "max 100000\n")
    put(tmp_path, "pod/box/inner/cpu.max", "400000 100000\n")
    expected = Quota(1.5, tmp_path / "pod" / "cpu.max", 3)
    for group in ("/pod", "/pod/box", "/pod/box/inner", "/pod/box/gone"):
        assert quota.find(f"0::{group}\n", tmp_path) == expected
    assert quota.find("0::/\n", tmp_path) is None


def test_in_a_container_the_mount_is_the_group(tmp_path: Path) -> None:
    put(tmp_path, "cpu.max", "50000\n")
    for group in ("/", "/kubepods/x", "/../elsewhere"):
        found = quota.find(f"0::{group}\n", tmp_path)
        assert found == Quota(0.5, tmp_path / "cpu.max", 0)
        assert found.threads == 1


def test_the_old_version_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    file = put(tmp_path, "cpu,cpuacct/box/cpu.cfs_quota_us", "250000\n")
    put(tmp_path, "cpu,cpuacct/box/cpu.cfs_period_us", "100000\n")
    groups = "4:memory:/box\n3:cpu,cpuacct:/box\n2:cpuset:/box\n0::/\n"
    found = quota.find(groups, tmp_path)
    assert found is not None
    assert (found, found.threads) == (Quota(2.5, file, 0), 2)
    file.write_text("-1\n")
    assert quota.find(groups, tmp_path) is None


def test_a_unified_hierarchy_beside_old_ones_counts(tmp_path: Path) -> None:
    file = put(tmp_path, "unified/box/cpu.max", "100000 100000\n")
    assert quota.find("1:cpu:/\n0::/box\n", tmp_path) == Quota(1, file, 0)


@settings(max_examples=30)  # each makes files
@given(groups=st.text(), limit=st.text(alphabet="0123456789-max \n", max_size=12))
def test_nothing_in_the_files_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, groups: str, limit: str
) -> None:
    mount = tmp_path_factory.mktemp("cgroup")
    put(mount, "cpu.max", limit)
    put(mount, "cpu.stat", limit)
    quota.find(groups, mount)
    found = quota.find("0::/", mount)
    assert found is None or found.cores > 0


TWO = Quota(2.5, Path("/cpu.max"), 0)


@pytest.mark.parametrize(
    ("environ", "cores", "threads"),
    [
        ({}, 8, 2),
        ({}, 2, None),
        ({"OMP_NUM_THREADS": "4"}, 8, 2),
        ({"OMP_NUM_THREADS": "2"}, 8, None),
        ({"OMP_NUM_THREADS": "4,2"}, 8, 2),
        ({"OMP_NUM_THREADS": "many"}, 8, 2),
        ({"OMP_NUM_THREADS": "4"}, 1, 2),
        ({"OMP_THREAD_LIMIT": "2"}, 8, None),
        ({"MKL_NUM_THREADS": "3"}, 8, 2),
    ],
)
def test_more_threads_than_the_quota_pays_for_are_unfit(
    environ: dict[str, str], cores: int, threads: int | None
) -> None:
    assert quota.unfit(environ, TWO, cores) == threads
    assert quota.unfit(environ, None, cores) is None


def test_only_what_nobody_has_decided_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    put(tmp_path, "cpu.max", "250000 100000\n")
    put(tmp_path, "cpu/cpu.cfs_quota_us", "250000\n")
    put(tmp_path, "cpu/cpu.cfs_period_us", "100000\n")
    environ = {"GIVEWAY_CGROUP": str(tmp_path)}
    fits = quota.fitting(environ, "train.py")
    assert fits is not None
    assert fits[0] == 2
    assert quota.fitting(environ, "torchrun") is None
    assert quota.fitting({**environ, "OMP_NUM_THREADS": "8"}, "train.py") is None
    assert quota.fitting({"GIVEWAY_CGROUP": str(tmp_path / "none")}, "train.py") is None
