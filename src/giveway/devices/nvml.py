"""The utilization of an NVIDIA GPU, as sampled by its driver. Uses NVML only, no CUDA context."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Final

_GPU_UTILIZATION: Final = 1
_MAX_SAMPLES: Final = 4096


class _Sample(ctypes.Structure):
    """``nvmlSample_t``: microseconds since 1970, and a union whose first 4 bytes are used."""

    _fields_ = (("time_us", ctypes.c_ulonglong), ("value", ctypes.c_uint), ("rest", ctypes.c_uint))


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
