"""Checks the hook, and the driver behind it, in a program started as by `giveway run`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from giveway import devices
from giveway.devices import drivers, loader
from giveway.doctor.findings import DeviceReport, Problem
from giveway.errors import GivewayError

_SECONDS: Final = 30
_ROCM_FOLDERS: Final = "rocm*/lib"
# The variables that determine which driver library a program gets.
_DECISIVE: Final = ("LD_LIBRARY_PATH", "GIVEWAY_CUDA_LIBRARY", "GIVEWAY_HIP_LIBRARY")

# Finds the library behind the hook: the first call makes the hook open the real library. This call
# uses no device.
_PROBE: Final = """
import ctypes, json, sys
soname, hook = sys.argv[1:]
version = ctypes.c_int()
try:
    code = ctypes.CDLL(soname).cuDriverGetVersion(ctypes.byref(version))
except OSError:
    code = -1
maps = [line.split()[-1] for line in open("/proc/self/maps") if soname.split(".so")[0] in line]
found = sorted(path for path in set(maps) if path != hook)
print(json.dumps({"code": code, "version": version.value, "found": found}))
"""


def hook_problems(device: devices.Device, report: DeviceReport) -> Iterator[Problem]:
    """The problems of preloading the hook into a program, as ``giveway run`` does."""
    verdict = device.verdict
    if verdict is not None and verdict.mode is None:
        yield Problem(
            f"{verdict.library} {verdict.why[0]}",
            f"name another one: GIVEWAY_{device.name.upper()}_LIBRARY=/path/to/{device.soname}",
        )
        return
    if verdict is not None:
        report.driver, report.hook = str(verdict.library), str(verdict.hook)
        report.mode, report.why, report.escapes = verdict.mode, verdict.why, verdict.escapes
    decisive = {name: os.environ[name] for name in _DECISIVE if name in os.environ}
    try:
        env = device.environment(decisive)
    except GivewayError as error:
        what, _, do = str(error).rpartition("; ")
        yield Problem(what, do)
        return
    reads_driver = device.soname == drivers.CUDA.soname("1")
    probe = [_PROBE, device.soname or "", os.path.realpath(report.hook)] if reads_driver else [""]
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", *probe],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except OSError as error:
        yield Problem(
            f"{sys.executable} cannot be started: {error.strerror}",
            "install giveway into another environment",
        )
        return
    except subprocess.TimeoutExpired:
        yield Problem(
            f"a program with {report.hook} does not answer",
            "check the driver: run nvidia-smi",
        )
        return
    if done.returncode == 0 and reads_driver:
        yield from _driver_problems(device, json.loads(done.stdout), done.stderr, report)
    elif done.returncode != 0 or done.stderr:
        output = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        yield Problem(f"{report.hook} cannot be preloaded: {output}", "reinstall giveway")


def _driver_problems(
    device: devices.Device, answer: dict[str, Any], output: str, report: DeviceReport
) -> Iterator[Problem]:
    if answer["code"] == 0 and answer["found"]:
        version = answer["version"]
        report.driver = f"{answer['found'][0]} (CUDA {version // 1000}.{version % 1000 // 10})"
        return
    report.driver = None
    why = output.strip().removeprefix("giveway: ").partition("; see ")[0]
    yield Problem(
        f"the hook finds no driver: {why or device.soname}",
        "name it: GIVEWAY_CUDA_LIBRARY=/path/to/libcuda.so.1",
    )


def unused_drivers(found_devices: list[devices.Device]) -> Iterator[dict[str, str]]:
    """The driver libraries on this machine without a device."""
    names = {device.name for device in found_devices}
    for api in drivers.APIS:
        if api.device in names:
            continue
        sonames = [api.soname(generation) for generation in api.generations]
        found = [path for soname in sonames for path in loader.candidates(soname, os.environ)]
        found += sorted(Path("/opt").glob(f"{_ROCM_FOLDERS}/{api.stem}*"))
        if found:
            yield {
                "api": api.name,
                "library": str(found[0]),
                "status": f"found, but no {api.vendor} GPU",
            }
