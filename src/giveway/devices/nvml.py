"""NVIDIA GPUs as their driver sees them: utilization, processes. Uses NVML, and no CUDA context."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Final

_GPU_UTILIZATION: Final = 1
_MAX_SAMPLES: Final = 4096
_MAX_PROCESSES: Final = 1024
_UNKNOWN: Final = 2**64 - 1


class _Sample(ctypes.Structure):
    """``nvmlSample_t``: microseconds since 1970, and a union whose first 4 bytes are used."""

    _fields_ = (("time_us", ctypes.c_ulonglong), ("value", ctypes.c_uint), ("rest", ctypes.c_uint))


class _Process(ctypes.Structure):
    """``nvmlProcessInfo_t``."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used_bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


def _first_visible() -> str:
    """The first GPU that programs see in this environment: its number or its UUID."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0].strip() or "0"


class Utilization:
    """Reads the driver's own samples, a few per second, afterwards: no sampling thread runs."""

    def __init__(self) -> None:
        self.reason: str | None = None
        """Why no samples can be read; None: they can."""
        self._device = ctypes.c_void_p()
        try:
            self._nvml = ctypes.CDLL("libnvidia-ml.so.1")
            codes = (self._nvml.nvmlInit_v2(), self._find(_first_visible()))
        except (OSError, AttributeError) as error:
            self.reason = f"NVML cannot be used: {error}"
            return
        if any(codes):
            self.reason = f"NVML cannot be used: error {max(codes)}"

    def _find(self, gpu: str) -> int:
        if gpu.isdigit():
            index = ctypes.c_uint(int(gpu))
            return int(self._nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(self._device)))
        uuid = gpu.encode()
        return int(self._nvml.nvmlDeviceGetHandleByUUID(uuid, ctypes.byref(self._device)))

    def driver(self) -> str | None:
        """The version of the driver."""
        text = ctypes.create_string_buffer(80)
        if self.reason is not None or self._nvml.nvmlSystemGetDriverVersion(text, len(text)):
            return None
        return text.value.decode()

    def share(self, since: float) -> float | None:
        """The mean of the samples since a time on the monotonic clock, 0 to 1; None: no samples.

        A sample is the share of its period in which at least one kernel ran, not the part of the
        GPU that the kernel used.
        """
        if self.reason is not None:
            return None
        began = int((time.time() - (time.monotonic() - since)) * 1e6)
        samples = (_Sample * _MAX_SAMPLES)()
        count, kind = ctypes.c_uint(_MAX_SAMPLES), ctypes.c_uint()
        code = self._nvml.nvmlDeviceGetSamples(
            self._device,
            _GPU_UTILIZATION,
            ctypes.c_ulonglong(began),
            ctypes.byref(kind),
            ctypes.byref(count),
            samples,
        )
        values = [each.value for each in samples[: count.value] if each.time_us >= began]
        if code or not values:
            return None
        return float(sum(values)) / len(values) / 100


class Gpus:
    """Reads the number of each GPU, and the memory of the processes on it."""

    def __init__(self) -> None:
        self._nvml: ctypes.CDLL | None = None
        self._handles: dict[str, ctypes.c_void_p | None] = {}
        try:
            nvml = ctypes.CDLL("libnvidia-ml.so.1")
            if nvml.nvmlInit_v2() == 0:
                self._nvml = nvml
        except (OSError, AttributeError):
            return

    def number(self, uuid: str) -> int | None:
        """The number of the GPU, as nvidia-smi counts; None: there is no such NVIDIA GPU."""
        number = ctypes.c_uint()
        code = self._call("nvmlDeviceGetIndex", uuid, ctypes.byref(number))
        return number.value if code == 0 else None

    def memory(self, uuid: str) -> dict[int, int]:
        """The bytes that each process uses on the GPU, by pid. Empty where the driver does not say.

        The pids are those of this PID namespace.
        """
        processes = (_Process * _MAX_PROCESSES)()
        count = ctypes.c_uint(_MAX_PROCESSES)
        code = self._call(
            "nvmlDeviceGetComputeRunningProcesses_v3", uuid, ctypes.byref(count), processes
        )
        found = processes[: count.value] if code == 0 else []
        return {each.pid: each.used_bytes for each in found if each.used_bytes != _UNKNOWN}

    def _call(self, name: str, uuid: str, *arguments: object) -> int | None:
        """The result of a function about a GPU; None: there is no such function or GPU."""
        function = getattr(self._nvml, name, None)
        handle = self._handle(uuid)
        return None if function is None or handle is None else int(function(handle, *arguments))

    def _handle(self, uuid: str) -> ctypes.c_void_p | None:
        if uuid not in self._handles:
            handle = ctypes.c_void_p()
            find = getattr(self._nvml, "nvmlDeviceGetHandleByUUID", None)
            found = find is not None and find(uuid.encode(), ctypes.byref(handle)) == 0
            self._handles[uuid] = handle if found else None
        return self._handles[uuid]
