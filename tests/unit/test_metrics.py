"""The metrics of tasks: their labels, and a file of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from giveway.daemon.exporter import replace_file
from giveway.daemon.metrics import metrics
from giveway.errors import GivewayError
from giveway.observe.details import Details, key
from giveway.observe.pods import Pod
from tests.unit.test_tasks_table import CPU, GIB, GPU, SERVE, TRAIN

DETAILS = {
    key(SERVE): Details("anna", "serve", 3, 2 * GIB, Pod("serve-0", "shop", "model")),
    key(CPU): Details("anna", "batch"),
}
NO_HISTOGRAM = {"bounds": [1.0], "counts": [1, 2], "sum": 9.0}
STATUS: dict[str, Any] = {
    "policy": "share",
    "last_event": 5,
    "devices": {GPU: 1.5, "cpu": 2.5, "GPU-idle": 0.0},
    "decisions": NO_HISTOGRAM,
    "tasks": [
        {
            "device": GPU,
            "pid": 4242,
            "name": "serve",
            "ticket": "1",
            "running_seconds": 1.0,
            "paused": False,
            "attributes": {"share": "70"},
            "waits": NO_HISTOGRAM,
            "bursts": NO_HISTOGRAM,
        }
    ],
}


def samples(*arguments: Any) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in metrics(*arguments):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


def test_a_task_has_the_labels_of_dcgm_exporter() -> None:
    ((labels, value),) = samples(None, [SERVE], DETAILS, {})["giveway_task_gpu_memory_bytes"]
    assert value == 2 * GIB
    assert labels == {
        "device": GPU,
        "gpu": "3",
        "UUID": GPU,
        "pod": "serve-0",
        "namespace": "shop",
        "container": "model",
        "pid": "4242",
        "name": "serve",
        "user": "anna",
        "ticket": "1",
    }


def test_memory_is_there_where_giveway_counts_it() -> None:
    counted = replace(SERVE, memory=GIB, memory_host=0, memory_peak=2 * GIB, memory_reserve=3 * GIB)
    found = samples(None, [counted, CPU], DETAILS, {})
    values = {name: [value for _, value in found.get(f"giveway_task_{name}_bytes", [])]
              for name in ("memory", "memory_peak", "memory_reserve", "memory_limit")}  # fmt: skip
    assert values == {
        "memory": [GIB], "memory_peak": [2 * GIB], "memory_reserve": [3 * GIB], "memory_limit": []
    }  # fmt: skip


def test_a_parked_task_has_no_work_and_its_memory_on_the_host() -> None:
    parked = replace(TRAIN, state="parked", memory=0, memory_host=2 * GIB)
    found = samples(None, [SERVE, parked], DETAILS, {})
    assert [value for _, value in found["giveway_task_parked"]] == [0, 1]
    assert [value for _, value in found["giveway_task_active"]] == [1, 0]
    assert [value for _, value in found["giveway_task_memory_host_bytes"]] == [2 * GIB]


def test_what_is_unknown_is_an_empty_label() -> None:
    found = samples(None, [CPU, TRAIN], DETAILS, {})
    assert "giveway_task_gpu_memory_bytes" not in found
    (cpu, _), (unknown, _) = found["giveway_task_active"]
    assert [cpu[name] for name in ("device", "gpu", "UUID", "pod", "user")] == [
        *("cpu", "", "", "", "anna")
    ]
    assert [unknown[name] for name in ("gpu", "UUID", "user")] == ["", GPU, ""]


def test_a_name_cannot_act_on_a_terminal_that_shows_the_metrics() -> None:
    evil = replace(TRAIN, name="\x1b[2J")
    details = {key(evil): Details("u\x07", pod=Pod("\x9bp"))}
    labels, _ = samples(None, [evil], details, {})["giveway_task_active"][0]
    assert all(value.isprintable() for value in labels.values())


def test_every_metric_of_a_task_has_the_same_labels() -> None:
    found = samples(STATUS, [SERVE], DETAILS, {GPU: 3, "GPU-idle": 4})
    (expected, _), *_ = found["giveway_task_active"]
    of_tasks = {name: rows for name, rows in found.items() if name.startswith("giveway_task_")}
    assert len(of_tasks) > 10
    for rows in of_tasks.values():
        for labels, _ in rows:
            assert {name: value for name, value in labels.items() if name != "le"} == expected


def test_a_device_keeps_its_labels_without_a_task() -> None:
    rows = samples(STATUS, [], {}, {GPU: 3, "GPU-idle": 4})["giveway_device_busy_seconds_total"]
    assert [tuple(labels.values()) for labels, _ in rows] == [
        *((GPU, "3", GPU), ("cpu", "", ""), ("GPU-idle", "4", "GPU-idle"))
    ]


def test_without_a_daemon_there_are_the_metrics_of_the_pages() -> None:
    found = samples(None, [SERVE], DETAILS, {})
    assert found["giveway_up"] == [({}, 0.0)]
    assert "giveway_task_launches_total" in found
    assert "giveway_policy" not in found


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "giveway.prom"
    path.write_text("old")
    path.chmod(0o600)
    before = path.open()
    replace_file(path, "new\n")
    assert (path.read_text(), before.read()) == ("new\n", "old")  # another file, renamed
    before.close()
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(GivewayError, match=r"cannot write .*: No such file or directory"):
        replace_file(tmp_path / "no" / "giveway.prom", "")
    (tmp_path / "folder").mkdir()
    with pytest.raises(GivewayError, match=r"cannot write .*folder: Is a directory"):
        replace_file(tmp_path / "folder", "")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_slack_is_a_metric_of_tasks_that_tolerate_a_slowdown() -> None:
    tolerant = replace(
        SERVE, tolerance=10, slack="beyond", slowdown=150, credit_seconds=0.01, together_seconds=2
    )
    found = samples(None, [tolerant, TRAIN], DETAILS, {})
    values = {name: [v for _, v in each] for name, each in found.items()}
    assert values["giveway_task_tolerance_ratio"] == [0.1]
    assert values["giveway_task_slowdown_ratio"] == [1.5]
    assert values["giveway_task_slack"] == [0, 0, 1]  # unknown, within, beyond
    assert values["giveway_task_credit_seconds"] == [0.01]
    assert values["giveway_task_together_seconds_total"] == [2]
