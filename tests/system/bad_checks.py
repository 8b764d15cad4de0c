"""Checks that go wrong, most of them under giveway only, for `giveway verify --checks`."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time

from giveway.verify.check import Check, Place, Skip
from giveway.verify.seen import Seen

GATED = "giveway" in os.environ.get("LD_PRELOAD", "")


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


def _noisy(_: Place) -> object:
    import torch

    # Each run differs from the others, and no more so under giveway.
    return torch.randn(100, 100) @ torch.ones(100, 100) + int.from_bytes(os.urandom(2)) * 1e-10


def _worse(_: Place) -> object:
    import torch

    noise = int.from_bytes(os.urandom(2)) * 1e-10
    return torch.randn(100, 100) @ torch.ones(100, 100) + (1e-3 if GATED else noise)


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


def _slow(_: Place) -> object:
    time.sleep(60)
    return 1


CHECKS = [
    Check(name="good", phase="1", title="a product", run=_good),
    Check(name="wrong", phase="2", title="a wrong operator", run=_wrong),
    Check(name="noisy", phase="2", title="not deterministic", run=_noisy),
    Check(name="worse", phase="2", title="further off than plain runs", run=_worse),
    Check(name="hang", phase="3", title="a hang", run=_hang, limit=45),
    Check(name="crash", phase="3", title="a crash", run=_crash),
    Check(name="exit", phase="3", title="it just leaves", run=_exit),
    Check(name="blow-up", phase="3", title="memory without end", run=_blow_up),
    Check(name="too-large", phase="3", title="a tensor of 4 PB", run=_too_large),
    Check(name="leak", phase="3", title="a little of all memory is kept", run=_leak),
    Check(name="raise", phase="3", title="an exception", run=_raise),
    Check(name="expect", phase="3", title="mistaken itself", run=_good, expect=_expect),
    Check(name="ungated", phase="extra", title="no launch", run=_ungated),
    Check(name="skip", phase="extra", title="skips itself", run=_skip),
    Check(name="elsewhere", phase="extra", title="not here", run=_good, devices=("hip",)),
    Check(name="missing", phase="extra", title="a module", run=_good, modules=("no_such_module",)),
    Check(name="slow", phase="extra", title="takes a minute", run=_slow),
]
