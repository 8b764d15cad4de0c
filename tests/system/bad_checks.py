"""Checks that go wrong, most of them under giveway only, for `giveway verify --checks`.

They compute the same with torch and with what stands in for it (`tests/system/light`).
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from giveway.verify.check import Check, Place, Skip
from giveway.verify.seen import Seen

GATED = "giveway" in os.environ.get("LD_PRELOAD", "")
LIMIT = 30
"""Seconds: that long `verify` waits for the hang, and no busy machine needs for the others."""
TORCH_LIMIT = 120
"""Of checks that torch itself computes as well."""


def _good(_: Place) -> object:
    import torch

    return torch.randn(300, 300) @ torch.randn(300, 300)


def _wrong(_: Place) -> object:
    import torch

    factor = torch.randn(300, 300)
    product = factor @ factor
    if GATED:
        product[17, 3] += 0.5
    return {"factor": factor, "product": product, "later": product + 1}


def _noise() -> float:
    """Another one in each run, and under giveway no more than without."""
    run = Path(sys.argv[5]).name  # plain-1, giveway, plain-2, …
    return 1e-4 * (1.5 if run == "giveway" else int(run.removeprefix("plain-")))


def _noisy(_: Place) -> object:
    import torch

    return torch.randn(100, 100) @ torch.ones(100, 100) + _noise()


def _worse(_: Place) -> object:
    import torch

    return torch.randn(100, 100) @ torch.ones(100, 100) + (1e-2 if GATED else _noise())


def _hang(_: Place) -> object:
    if GATED:
        # In a session of its own, where killing the program's process group does not reach it.
        subprocess.Popen(["sleep", "4321"], start_new_session=True)
        ctypes.CDLL(None).pause()
    return 1


def _crash(_: Place) -> object:
    if GATED:
        print("the last words", file=sys.stderr, flush=True)
        ctypes.string_at(0)
    return 1


def _exit(_: Place) -> object:
    if GATED:
        print("the last words", file=sys.stderr, flush=True)
        os._exit(3)
    return 1


def _blow_up(_: Place) -> object:
    import torch

    kept = []
    while GATED:
        kept.append(torch.ones(1 << 23))
        time.sleep(0.01)
    return 1


def _too_large(_: Place) -> object:
    import torch

    return torch.ones(1 << 50).sum()


def _leak(at: Place) -> object:
    import torch

    from giveway.verify.checks import basics

    basics._LARGE = 1 << 16  # what is kept is the subject, not how much memory passes by
    kept, empty = [], torch.empty

    def leaking(*sizes: object, **options: object) -> object:
        kept.append(bytearray(20_000))
        return empty(*sizes, **options)

    if GATED:
        torch.empty = leaking
    return basics._to(at)


def _raise(_: Place) -> object:
    if GATED:
        raise ValueError("no\nluck")
    return 1


def _expect(saw: Seen) -> str | None:
    return None if saw.launches / 0 else ""


def _ungated(_: Place) -> object:
    return 1


def _skip(_: Place) -> object:
    raise Skip("it is not the day for it")


def _nan(_: Place) -> object:
    import torch

    return {"right": torch.ones(3, 3) @ torch.ones(3, 3), "loss": torch.ones(3) * float("nan")}


def _nothing(_: Place) -> object:
    import torch

    torch.randn(300, 300) @ torch.randn(300, 300)
    return {"loss": None, "gradients": {}}


def _child(_: Place) -> object:
    import torch

    product = torch.randn(300, 300) @ torch.randn(300, 300)
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    command = [sys.executable, "-c", "print(42)"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return {"product": product, "answer": done.stdout}


def _held(_: Place) -> object:
    """Launches until it was held; without rivals for as long as it may."""
    import torch

    import giveway

    end = time.monotonic() + 60
    product = torch.ones(300, 300) @ torch.ones(300, 300)
    while GATED and time.monotonic() < end:
        torch.ones(300, 300) @ torch.ones(300, 300)
        if any(task.pid == os.getpid() and task.holds for task in giveway.tasks()):
            break
    return product


def _slow(_: Place) -> object:
    print("begun", file=sys.stderr, flush=True)
    time.sleep(1000)
    return 1


def _check(
    name: str, phase: str, title: str, run: Callable[[Place], object], **options: Any
) -> Check:
    return Check(name=name, phase=phase, title=title, run=run, **{"limit": LIMIT} | options)


CHECKS = [
    _check("hang", "3", "a hang", _hang),
    _check("good", "1", "a product", _good, limit=TORCH_LIMIT),
    _check("wrong", "2", "a wrong operator", _wrong),
    _check("noisy", "2", "not deterministic", _noisy),
    _check("worse", "2", "further off than plain runs", _worse),
    _check("crash", "3", "a crash", _crash),
    _check("exit", "3", "it just leaves", _exit),
    _check("blow-up", "3", "memory without end", _blow_up),
    _check("too-large", "3", "a tensor of 4 PB", _too_large, limit=TORCH_LIMIT),
    _check("leak", "3", "a little of all memory is kept", _leak),
    _check("raise", "3", "an exception", _raise),
    _check("expect", "3", "mistaken itself", _good, expect=_expect),
    _check("ungated", "extra", "no launch", _ungated),
    _check("skip", "extra", "skips itself", _skip),
    _check("elsewhere", "extra", "not here", _good, devices=("hip",)),
    _check("missing", "extra", "a module", _good, modules=("no_such_module",)),
    _check("slow", "extra", "takes its time", _slow),
    _check("nan", "extra", "no numbers", _nan),
    _check("nothing", "extra", "no outputs", _nothing),
    _check("child", "extra", "a child without giveway", _child),
    _check("held", "extra", "is held by a rival", _held, limit=TORCH_LIMIT),
]
