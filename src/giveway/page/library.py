"""libgiveway: its location, its functions and their results."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path
from typing import Any

from giveway.errors import PageError

NO_PAGE = -9
NO_TASK = -10
TAKEN = -14
ROWS = 256
ATTRIBUTES_SIZE = 248


class TaskInfo(ctypes.Structure):
    """``struct gw_task_info`` of giveway.h; a test compares the two."""

    _fields_ = (
        ("ticket", ctypes.c_uint64),
        ("row", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
        ("priority", ctypes.c_int32),
        ("active", ctypes.c_uint32),
        ("gate_closed", ctypes.c_uint32),
        ("is_thread", ctypes.c_uint32),
        ("mine", ctypes.c_uint32),
        ("waiters", ctypes.c_uint32),
        ("gate_kind", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("launches", ctypes.c_uint64),
        ("operators", ctypes.c_uint64),
        ("held", ctypes.c_uint64),
        ("held_ns", ctypes.c_uint64),
        ("preemptions", ctypes.c_uint64),
        ("joined_ns", ctypes.c_uint64),
        ("closed_ns", ctypes.c_uint64),
        ("stopped_ns", ctypes.c_uint64),
        ("slack_verdict", ctypes.c_uint32),
        ("slack_tolerance", ctypes.c_uint32),
        ("slack_speed", ctypes.c_uint32),
        ("reserved0", ctypes.c_uint32),
        ("slack_credit_ns", ctypes.c_int64),
        ("beside_ns", ctypes.c_uint64),
        ("contended_ns", ctypes.c_uint64),
        ("pid_namespace", ctypes.c_uint64),
        ("memory", ctypes.c_uint64),
        ("memory_peak", ctypes.c_uint64),
        ("memory_limit", ctypes.c_uint64),
        ("memory_reserve", ctypes.c_uint64),
        ("counts_memory", ctypes.c_uint32),
        ("can_park", ctypes.c_uint32),
        ("parkable", ctypes.c_uint32),
        ("parked", ctypes.c_uint32),
        ("park_error", ctypes.c_uint32),
        ("park_number", ctypes.c_uint32),
        ("park_room", ctypes.c_uint64),
        ("name", ctypes.c_char * 48),
        ("device", ctypes.c_char * 64),
        ("job", ctypes.c_char * 64),
    )


class DeviceMemory(ctypes.Structure):
    """``struct gw_device_memory`` of giveway.h."""

    _fields_ = (("total", ctypes.c_uint64), ("context", ctypes.c_uint64))


def _library_folder() -> Path:
    return Path(__file__).parents[1] / "lib"


def library_path() -> Path:
    """The path of libgiveway.so."""
    return _library_folder() / "libgiveway.so"


def hook_path(device: str) -> Path:
    """The path of the library that ``giveway run`` preloads for a kind of device."""
    return _library_folder() / f"libgiveway-{device}.so"


def declare(lib: ctypes.CDLL, *functions: tuple[str, Any, tuple[Any, ...]]) -> None:
    """Declares the name, the type of the result and those of the arguments of C functions."""
    for name, result, arguments in functions:
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments


@functools.cache
def library() -> ctypes.CDLL:
    """libgiveway, loaded once; in a program under ``giveway run``, the copy that gates the program.

    Raises:
        PageError: the library is missing or cannot be loaded.
    """
    path = library_path()
    try:
        lib = ctypes.CDLL(str(path))
    except OSError as error:
        raise PageError(f"cannot load {path}: {error}; install giveway again") from error
    task_out = ctypes.POINTER(ctypes.c_void_p)
    declare(
        lib,
        ("gw_page_path", ctypes.c_int, (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t)),
        ("gw_page_open", ctypes.c_int, (ctypes.c_char_p, ctypes.c_int, task_out)),
        ("gw_page_check", ctypes.c_int, (ctypes.c_void_p,)),
        ("gw_error_text", ctypes.c_char_p, (ctypes.c_int,)),
        ("gw_error_errno", ctypes.c_int, ()),
        (
            "gw_tasks",
            ctypes.c_int,
            (ctypes.c_void_p, ctypes.POINTER(TaskInfo), ctypes.c_int),
        ),
        ("gw_set_priority", ctypes.c_int, (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int)),
        (
            "gw_attributes",
            ctypes.c_int,
            (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t),
        ),
        ("gw_set_attributes", ctypes.c_int, (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p)),
        (
            "gw_set_memory_limit",
            ctypes.c_int,
            (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64),
        ),
        ("gw_device_memory", ctypes.c_int, (ctypes.c_void_p, ctypes.POINTER(DeviceMemory))),
        ("gw_park", ctypes.c_int, (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)),
        ("gw_unpark", ctypes.c_int, (ctypes.c_void_p, ctypes.c_uint64)),
        ("gw_decider", ctypes.c_int, (ctypes.c_void_p,)),
        ("gw_peek", ctypes.c_void_p, ()),
        (
            "gw_enter",
            ctypes.c_int,
            (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, task_out),
        ),
        ("gw_exit", None, (ctypes.c_void_p,)),
        ("gw_task_describe", ctypes.c_int, (ctypes.c_void_p, ctypes.POINTER(TaskInfo))),
        ("gw_clock_ahead", ctypes.c_int64, ()),
        ("gw_version", ctypes.c_char_p, ()),
        ("gw_hooked", ctypes.c_int, ()),
    )
    return lib


def error(code: int, subject: str) -> PageError:
    """Converts a negative ``enum gw_error`` of the calling thread to a one-line error."""
    lib = library()
    text = lib.gw_error_text(code).decode()
    system = lib.gw_error_errno()
    detail = f": {os.strerror(system)}" if system else ""
    return PageError(f"{text} ({subject}{detail})", code)
