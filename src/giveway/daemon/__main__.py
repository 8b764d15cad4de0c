"""The daemon process; ``giveway serve`` starts and supervises it."""

from __future__ import annotations

import argparse
import fcntl
import gc
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TextIO

from giveway.daemon import client, supervisor
from giveway.daemon.host import Host
from giveway.daemon.limit import TimeLimit
from giveway.daemon.log import Log
from giveway.daemon.loop import Loop
from giveway.errors import DaemonError, GivewayError, PageError
from giveway.page.folder import make, open_shared
from giveway.sched.policies import registry

LOCK_NAME = "daemon.lock"


def main() -> int:
    parser = argparse.ArgumentParser(prog="giveway serve")
    parser.add_argument("--policy", required=True)
    parser.add_argument("--again", action="store_true", help="the previous daemon hung")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--heartbeat", type=int, required=True, help="descriptor of a pipe")
    options = parser.parse_args()
    supervisor.end_with(options.parent)
    try:
        serve(options.policy, supervisor.Heartbeat(options.heartbeat), again=options.again)
    except GivewayError as error:
        print(f"giveway: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    return 0


def serve(policy: str, heartbeat: supervisor.Heartbeat, *, again: bool) -> None:
    """Decides about all gates until SIGTERM or SIGINT.

    Raises:
        DaemonError: another daemon runs.
        UsageError: no such policy.
        PageError: the folder of the gate pages cannot be used.
    """
    for name in registry.BUILT_IN:
        registry.policy_class(name)  # import now, not while a client waits for a change of policy
    first = registry.make(policy)
    folder = client.folder()
    make(folder)
    try:
        lock = take_lock(folder / LOCK_NAME)
    except OSError as error:
        raise PageError(f"{folder} cannot be used: {error.strerror}") from None
    log = Log()
    if again:
        failed, why = supervisor.read_crash()
        log.add("failed", policy=failed, traceback=why[:4000])
    log.add("started", pid=os.getpid(), policy=first.name)
    try:
        loop = Loop(Host(first, log, TimeLimit()), folder / supervisor.CRASH_NAME, heartbeat)
    except OSError as error:
        raise PageError(f"{folder} cannot be used: {error.strerror}") from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    gc.collect()
    gc.freeze()
    gc.disable()  # the loop collects when no task waits
    print(f"serving: policy {first.name}, process {os.getpid()}", flush=True)
    try:
        loop.run()
    except Exception:
        loop.write_crash(traceback.format_exc())
        raise
    lock.close()


def take_lock(path: Path) -> TextIO:
    """Takes the lock of the folder's only daemon; closing the file releases it."""
    descriptor = open_shared(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        first = file.read(20).strip()
        file.close()
        holder = f": process {first}" if first.isdigit() else ""
        raise DaemonError(f"a daemon runs already{holder}") from None
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


if __name__ == "__main__":
    sys.exit(main())
