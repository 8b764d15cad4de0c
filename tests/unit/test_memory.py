"""Amounts of GPU memory: how they are written, and whether a GPU can give them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giveway.devices import memory as device_memory
from giveway.devices.base import Device, Gpu
from giveway.errors import UsageError
from giveway.sched import memory
from giveway.sched.task import Task
from tests.unit.test_preemption import LOW

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "setting", "of_a_gpu_of_16_gib"),
    [
        ("40GiB", str(40 * GIB), 40 * GIB),
        ("1.5 GiB", str(3 * GIB // 2), 3 * GIB // 2),
        ("512MiB", str(GIB // 2), GIB // 2),
        ("80GB", "80000000000", 80_000_000_000),
        ("40gib", str(40 * GIB), 40 * GIB),
        ("50%", "50%", 8 * GIB),
        ("12.5%", "12.5%", 2 * GIB),
    ],
)
def test_amounts(text: str, setting: str, of_a_gpu_of_16_gib: int) -> None:
    amount = memory.parse(text, "--memory")
    assert (amount.setting(), amount.of(16 * GIB)) == (setting, of_a_gpu_of_16_gib)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is not an amount of memory: write 40GiB or 50%"),
        ("lots", "'lots' is not an amount of memory: write 40GiB or 50%"),
        ("-1GiB", "'-1GiB' is not an amount of memory: write 40GiB or 50%"),
        ("40", "'40' has no unit: there are %, GB, GiB, MB, MiB, TB, TiB"),
        ("40G", "unknown unit 'G' in '40G': did you mean 'GB'?"),
        ("40KiB", "unknown unit 'KiB' in '40KiB': there are %, GB, GiB, MB, MiB, TB, TiB"),
        ("0%", "0% is not more than 0 and at most 100%"),
        ("101%", "101% is not more than 0 and at most 100%"),
        ("0GiB", "0GiB is not more than 0 and less than a million TiB"),
        ("99999999TiB", "99999999TiB is not more than 0 and less than a million TiB"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError) as error:
        memory.parse(text, "--memory")
    assert str(error.value) == f"--memory: {why}"


@given(st.integers(1, 1 << 50))
def test_an_amount_that_is_shown_is_close_to_itself(size: int) -> None:
    shown = memory.show(size)
    if size >= 1 << 20:
        again = memory.parse(shown, "--memory").of(0)
        assert abs(again - size) <= max(size * 0.06, 1 << 19)


class Gpus:
    """Pages of GPUs: name, size, context, tasks; for `device_memory.Page`."""

    def __init__(self, *gpus: tuple[str, int, int, list[Task]]) -> None:
        self.pages = {name: (total, context, tasks) for name, total, context, tasks in gpus}

    def open(self, name: str) -> Gpus:
        return Gpus((name, *self.pages[name]))

    def memory(self) -> tuple[int, int]:
        ((total, context, _),) = self.pages.values()
        return total, context

    def tasks(self) -> list[Task]:
        ((_, _, tasks),) = self.pages.values()
        return tasks


Checks = Callable[..., None]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Checks:
    def check(*gpus: tuple[str, int, int, list[Task]], **wanted: str) -> None:
        monkeypatch.setattr(device_memory, "Page", Gpus(*gpus))
        names = [Gpu(name, "model") for name, *_ in gpus]
        device = Device("cuda", Path("hook"), {}, find_gpus=lambda: names)
        asked = device_memory.read(wanted.get("memory"), wanted.get("reserve"))
        device_memory.check(device, asked)

    return check


SERVE = replace(LOW, memory=2 * GIB, memory_reserve=10 * GIB)
TRAIN = replace(LOW, memory=3 * GIB)
CARD = ("GPU-1", 16 * GIB, GIB // 2, [SERVE, TRAIN])


def test_what_fits_is_accepted(check: Checks) -> None:
    check(CARD, memory="16GiB")
    check(CARD, memory="100%", reserve="3GiB")
    check(CARD)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"memory": "17GiB"}, "--memory 17.0 GiB is more than the 16.0 GiB of GPU-1"),
        ({"memory": "512MiB"}, "--memory 512 MiB is too little: a context takes 512 MiB"),
        ({"reserve": "17GiB"}, "--reserve 17.0 GiB is more than the 16.0 GiB of GPU-1"),
        (
            {"reserve": "25%"},
            "--reserve 4.0 GiB cannot be met: other programs use or have reserved 13.0 GiB"
            " of the 16.0 GiB of GPU-1",
        ),
    ],
)
def test_what_cannot_be_met_is_refused(check: Checks, wanted: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError) as error:
        check(CARD, **wanted)
    assert str(error.value) == why


def test_nothing_is_refused_while_another_gpu_may_give_it(check: Checks) -> None:
    check(CARD, ("GPU-2", 0, 0, []), memory="17GiB")
    check(CARD, ("GPU-2", 24 * GIB, 0, []), memory="17GiB")
    with pytest.raises(UsageError):
        check(CARD, ("GPU-2", 12 * GIB, 0, []), memory="17GiB")


def test_only_programs_on_nvidia_gpus_can_be_parkable() -> None:
    asked = device_memory.read(None, None, True)
    device_memory.check(Device("cuda", "", Path("hook"), {}), asked)
    for name in ("hip", "cpu"):
        with pytest.raises(UsageError) as error:
            device_memory.check(Device(name, "", Path("hook"), {}), asked)
        assert str(error.value) == f"--parkable is for NVIDIA GPUs, not for --device {name}"
        device_memory.check(
            Device(name, "", Path("hook"), {}), device_memory.read(None, None, False)
        )


def test_a_reservation_above_the_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="--reserve 2GiB is more than --memory 1GiB"):
        device_memory.read("1GiB", "2GiB")
    with pytest.raises(UsageError, match="--reserve 60% is more than --memory 50%"):
        device_memory.read("50%", "60%")
    device_memory.read("50%", "2GiB")  # depends on the GPU


def test_the_cpu_has_no_memory_of_its_own() -> None:
    device = Device("cpu", Path("hook"), {})
    device_memory.check(device, device_memory.NOTHING)
    with pytest.raises(UsageError, match="are for GPUs, not for --device cpu"):
        device_memory.check(device, device_memory.read("50%", None))
