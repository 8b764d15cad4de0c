"""The table of tasks: which columns, which cells, and the same as CSV."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from giveway.cli.live import columns
from giveway.cli.live.rates import Rate, Rates
from giveway.cli.live.steering import Steering
from giveway.cli.live.view import View
from giveway.cli.parts import tasks as table
from giveway.errors import UsageError
from giveway.observe.details import Details, key
from giveway.observe.programs import Program
from giveway.sched.task import Task

GPU = "GPU-8f6a2f3e-0d43-2f5c-1a77-0123456789ab"
GIB = 2**30
SERVE = Task(
    ticket=1,
    device=GPU,
    pid=4242,
    name="serve",
    priority=10,
    state="active",
    is_thread=False,
    launches=123456,
    operators=0,
    holds=0,
    held_seconds=0.04,
    preemptions=0,
    joined_seconds=0.0,
    gate="device",
)
TRAIN = replace(SERVE, ticket=2, pid=4250, name="train", priority=0, state="held", preemptions=7)
CPU = replace(SERVE, ticket=1, device="cpu", pid=77, name="batch", gate="regions", job="job1")
NO_DAEMON = Steering()
DETAILS = {
    key(SERVE): Details("anna", "python serve.py --port 80", 0, 12 * GIB),
    key(TRAIN): Details("bert", "python train.py", 0, 3 * GIB // 2),
    key(CPU): Details("anna", "./batch"),
}


def shown(*tasks: Task, width: int | None = None, chosen: str | None = None) -> list[str]:
    rows = table.rows(tasks, [], DETAILS)
    return table.lines(rows, width, chosen and table.choose(chosen, table.FIELDS))


def test_a_task_on_a_gpu_has_its_place_its_owner_and_its_memory() -> None:
    assert shown(SERVE, TRAIN, chosen="gpu,pid,user,gpu-mem,command") == [
        "GPU   PID  USER  GPU-MEM  COMMAND",
        "  0  4242  anna    12.0G  python serve.py --port 80",
        "  0  4250  bert     1.5G  python train.py",
    ]


def test_what_giveway_counts_comes_before_what_the_driver_says() -> None:
    counted = replace(SERVE, memory=3 * GIB, memory_peak=5 * GIB)
    assert shown(counted, TRAIN, chosen="pid,gpu-mem,mem-peak") == [
        " PID  GPU-MEM  MEM-PEAK",
        "4242     3.0G      5.0G",
        "4250     1.5G         -",
    ]


def test_slack_has_columns_where_a_task_tolerates_a_slowdown() -> None:
    tolerant = replace(
        SERVE,
        tolerance=10,
        slack="within",
        slowdown=2.9,
        credit_seconds=0.0123,
        together_seconds=9.5,
        contended_seconds=10.0,
    )
    fresh = replace(tolerant, slack="unknown", slowdown=None, contended_seconds=0.0)
    assert shown(tolerant, fresh, TRAIN, chosen="tolerance,slowdown,slack,credit,together") == [
        "TOLERANCE  SLOWDOWN  SLACK    CREDIT  TOGETHER",
        "      10%      2.9%  within   12.3ms       95%",
        "      10%         ?  unknown  12.3ms         -",
        "        -         -  -             -         -",
    ]
    assert "SLOWDOWN" not in shown(SERVE, TRAIN)[0]
    words = {"TOLERANCE", "SLOWDOWN", "CREDIT", "TOGETHER"}
    narrow = shown(tolerant, TRAIN, width=80)
    assert words | {"PID", "NAME", "STATE"} <= {*narrow[0].split()}
    assert all(len(line) <= 80 for line in narrow)
    assert words & {*shown(tolerant, TRAIN, width=60)[0].split()} == {"SLOWDOWN", "CREDIT"}


def test_a_column_that_nobody_has_a_value_for_is_left_out() -> None:
    header = shown(CPU)[0].split()
    assert not {"GPU", "GPU-MEM"} & {*header}
    assert {"USER", "JOB", "COMMAND"} <= {*header}
    assert "JOB" not in shown(SERVE)[0].split()
    assert shown(CPU, chosen="gpu,gpu-mem,pid") == ["GPU  GPU-MEM  PID", "  -        -   77"]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (40, "GPU PID NAME PRIORITY STATE HELD"),
        (60, "GPU PID NAME PRIORITY STATE GPU-MEM LAUNCHES HELD"),
        (80, "GPU PID USER NAME PRIORITY STATE GPU-MEM LAUNCHES HELD COMMAND"),
    ],
)
def test_a_narrow_terminal_has_the_important_columns(width: int, titles: str) -> None:
    lines = shown(SERVE, TRAIN, width=width)
    assert lines[0].split() == titles.split()
    assert all(len(line) <= width for line in lines)


def test_a_wide_terminal_has_all_columns_uncut() -> None:
    lines = shown(SERVE, TRAIN, width=200)
    assert lines == shown(SERVE, TRAIN)
    assert lines[1].startswith(GPU)
    assert lines[1].endswith("python serve.py --port 80")


def test_chosen_columns_are_cut_at_the_end_of_the_line() -> None:
    assert shown(SERVE, width=16, chosen="pid,command,user") == [
        " PID  COMMAND  …",
        "4242  python se…",
    ]


def test_unknown_columns_are_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as error:
        table.choose("pid,colour", table.FIELDS)
    assert str(error.value).startswith("--format: no column 'colour'; there are device, gpu, pid,")
    assert all(field.name in str(error.value) for field in table.FIELDS)
    with pytest.raises(UsageError, match="no column ''"):
        table.choose("", table.FIELDS)
    assert [field.name for field in table.choose("Pid, NAME,pid", table.FIELDS)] == [
        *("pid", "name", "pid")
    ]


def test_every_column_is_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
    documented = re.findall(r"^\| `([^`]+)` \|", page.read_text(), re.MULTILINE)
    assert {field.name for field in columns.KNOWN} <= {*documented}


def test_csv_has_every_field_as_a_plain_value(capsys: pytest.CaptureFixture[str]) -> None:
    evil = replace(TRAIN, name='a,"b"\x1b[2J\nc', held_seconds=0.123456)
    program = Program(9, "sleeper", "cuda")
    table.show(table.rows([evil], [program], DETAILS), None, as_csv=True)
    header, task, other = csv.reader(capsys.readouterr().out.splitlines())
    assert header == [field.name for field in table.FIELDS]
    cells = dict(zip(header, task, strict=True))
    assert cells["name"] == 'a,"b"\\x1b[2J\\nc'
    assert (cells["gpu-mem"], cells["held"], cells["job"]) == (str(3 * GIB // 2), "0.123", "")
    cells = {name: cell for name, cell in zip(header, other, strict=True) if cell}
    assert cells == {"device": "cuda", "pid": "9", "name": "sleeper", "state": "not gated"}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0B"), (1023, "1023B"), (1024, "1.0K"), (1536, "1.5K"), (2**20 - 1, "1.0M")),
        *(
            (100 * 2**20, "100M"),
            (999 * 2**20, "999M"),
            (1000 * 2**20, "1.0G"),
            (141 * GIB, "141G"),
        ),
        *((2**50, "1024T"),),
    ],
)
def test_sizes_are_short(count: int, text: str) -> None:
    assert table.size(count) == text


def view(*tasks: Task, daemon: Steering = NO_DAEMON) -> list[table.Row]:
    rates = Rates()
    rates.update([replace(task, launches=0) for task in tasks], 10.0, daemon.running)
    running = {key: seconds + 1.0 for key, seconds in daemon.running.items()}
    rates.update(list(tasks), 12.0, running)
    return View(list(tasks), [], "", daemon, details=DETAILS).rows(rates, "p")


def test_top_has_rates_in_the_place_of_totals() -> None:
    daemon = Steering("share", {(GPU, 1): 5.0}, {(GPU, 1): "70"})
    rows = view(SERVE, TRAIN, daemon=daemon)
    lines = table.lines(rows, None, table.choose("pid,launch/s,share%,launches", columns.KNOWN))
    assert lines == [
        " PID  LAUNCH/S  SHARE%  LAUNCHES",
        "4242     61728   50/70    123456",
        "4250     61728       -    123456",
    ]
    titles = table.lines(rows, 200, fields=columns.SHOWN)[0].split()
    assert titles == [
        *("DEVICE", "GPU", "PID", "USER", "NAME", "PRIORITY", "STATE", "GPU-MEM"),
        *("LAUNCH/S", "HELD%", "SHARE%", "PREEMPTIONS", "GATE", "COMMAND"),
    ]
    assert "SHARE%" not in table.lines(view(SERVE), None, fields=columns.SHOWN)[0]


def test_a_program_without_a_task_has_no_rates() -> None:
    (row,) = table.rows([], [Program(9, "sleeper", "cuda")], {})
    cells = {field.name: field.cell(row) for field in columns.KNOWN}
    assert (cells["pid"], cells["state"]) == ("9", "not gated")
    assert {cells[name] for name in ("launch/s", "held%", "share%", "priority", "held")} == {"-"}


def test_what_a_rate_rounds_to_is_not_what_csv_has() -> None:
    row = table.Row(SERVE, rate=Rate(SERVE, 0.25, 0.0449))
    cells = {field.name: (field.cell(row), field.value(row)) for field in columns.KNOWN}
    assert cells["launch/s"] == ("0", 0.2)
    assert cells["held%"] == ("4", 4.5)
