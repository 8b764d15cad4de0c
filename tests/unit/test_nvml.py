"""What giveway reads from NVML, with a stand-in, as this machine may have no NVML."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from giveway.devices import nvml
from giveway.devices.nvml import Gpus, Utilization

GPU = 0x7000000000
BEGAN_US = 1_700_000_000_000_000


class Value(ctypes.Union):
    """``nvmlValue_t`` as nvml.h of driver 580 declares it."""

    _fields_ = (
        ("d", ctypes.c_double),
        ("u", ctypes.c_uint),
        ("ul", ctypes.c_ulong),
        ("ull", ctypes.c_ulonglong),
        ("s", ctypes.c_int),
    )


class Sample(ctypes.Structure):
    """``nvmlSample_t``."""

    _fields_ = (("time", ctypes.c_ulonglong), ("value", Value))


class Process(ctypes.Structure):
    """``nvmlProcessInfo_t`` as nvml.h of driver 580 declares it."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("usedGpuMemory", ctypes.c_ulonglong),
        ("gpuInstanceId", ctypes.c_uint),
        ("computeInstanceId", ctypes.c_uint),
    )


class Library:
    """NVML's functions, called as C functions of a library are: without prototypes."""

    def __init__(self, init: int) -> None:
        c_int, c_uint, text = ctypes.c_int, ctypes.c_uint, ctypes.c_char_p
        handle = ctypes.POINTER(ctypes.c_void_p)
        count = ctypes.POINTER(c_uint)
        samples = ctypes.POINTER(Sample)
        self._callbacks: list[Any] = []
        self.nvmlInit_v2 = self._function(lambda: init)
        self.nvmlDeviceGetHandleByIndex_v2 = self._function(self._by_index, c_uint, handle)
        self.nvmlDeviceGetHandleByUUID = self._function(self._by_uuid, text, handle)
        self.nvmlSystemGetDriverVersion = self._function(self._version, ctypes.c_void_p, c_uint)
        self.nvmlDeviceGetIndex = self._function(self._index, ctypes.c_void_p, count)
        self.nvmlDeviceGetComputeRunningProcesses_v3 = self._function(
            self._processes, ctypes.c_void_p, count, ctypes.POINTER(Process)
        )
        self.nvmlDeviceGetSamples = self._function(
            self._samples, ctypes.c_void_p, c_int, ctypes.c_ulonglong, count, count, samples
        )

    def _function(self, body: Callable[..., int], *arguments: Any) -> Any:
        callback = ctypes.CFUNCTYPE(ctypes.c_int, *arguments)(body)
        self._callbacks.append(callback)
        return ctypes.CDLL(None)._FuncPtr(ctypes.cast(callback, ctypes.c_void_p).value)

    @staticmethod
    def _by_index(index: int, device: Any) -> int:
        device[0] = GPU + index
        return 0

    @staticmethod
    def _by_uuid(uuid: bytes, device: Any) -> int:
        device[0] = GPU + 5 if uuid == b"GPU-5" else None
        return 0 if uuid == b"GPU-5" else 6

    @staticmethod
    def _version(text: int, size: int) -> int:
        assert size >= 80
        ctypes.memmove(text, b"580.1\0", 6)
        return 0

    @staticmethod
    def _index(device: int, number: Any) -> int:
        number[0] = device - GPU
        return 0

    @staticmethod
    def _processes(device: int, count: Any, processes: Any) -> int:
        if device != GPU + 5 or count[0] < 3:
            return 7
        for at, used in enumerate((5 << 30, 2**64 - 1, 0)):
            processes[at] = Process(100 + at, used, 2**32 - 1, 2**32 - 1)
        count[0] = 3
        return 0

    @staticmethod
    def _samples(device: int, type_: int, since: int, kind: Any, count: Any, samples: Any) -> int:
        if type_ != 1 or count[0] < 3 or since != BEGAN_US:
            return 2
        for at in range(3):
            samples[at].time = since + at - 1
        samples[0].value.u = 100  # older than what was asked for
        samples[1].value.u = 20 + device % 16
        samples[2].value.u = 60 + device % 16
        kind[0], count[0] = 1, 3
        return 0


def install(monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    def load(name: str) -> object:
        assert name == "libnvidia-ml.so.1"
        if isinstance(library, OSError):
            raise library
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)


def ask(
    monkeypatch: pytest.MonkeyPatch, library: object, visible: str = ""
) -> tuple[str | None, str | None, float | None]:
    """The figures of the second that ends now."""

    install(monkeypatch, library)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    clocks = SimpleNamespace(time=lambda: 1_700_000_001.0, monotonic=lambda: 51.0)
    monkeypatch.setattr(nvml, "time", clocks)
    found = Utilization()
    return found.reason, found.driver(), found.share(50.0)


def test_the_samples_since_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, Library(init=0)) == (None, "580.1", 0.4)


@pytest.mark.parametrize(("visible", "share"), [("3,1", 0.43), (" 2", 0.42), ("GPU-5", 0.45)])
def test_of_the_gpu_that_programs_see_first(
    monkeypatch: pytest.MonkeyPatch, visible: str, share: float
) -> None:
    assert ask(monkeypatch, Library(init=0), visible) == (None, "580.1", share)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ask(monkeypatch, Library(init=0), "GPU-6")
    assert said == ("NVML cannot be used: error 6", None, None)


def test_a_driver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ask(monkeypatch, Library(init=9))
    assert said == ("NVML cannot be used: error 9", None, None)


def test_a_library_of_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ask(monkeypatch, ctypes.CDLL(None))
    assert str(said[0]).startswith("NVML cannot be used: ")
    assert said[1:] == (None, None)


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ask(monkeypatch, OSError("no such file"))
    assert said == ("NVML cannot be used: no such file", None, None)


def test_the_number_of_a_gpu_and_the_memory_of_its_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, Library(init=0))
    gpus = Gpus()
    assert gpus.number("GPU-5") == 5
    assert gpus.memory("GPU-5") == {100: 5 << 30, 102: 0}  # of 101 the driver does not know
    assert gpus.number("GPU-6") is None
    assert gpus.memory("GPU-6") == {}


@pytest.mark.parametrize("library", [Library(init=9), ctypes.CDLL(None), OSError("no such file")])
def test_without_nvml_no_gpu_is_known(monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    install(monkeypatch, library)
    gpus = Gpus()
    assert gpus.number("GPU-5") is None
    assert gpus.memory("GPU-5") == {}
