"""The import paths that the documentation names, and what importing giveway does not load."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import giveway
assert "giveway.api" not in sys.modules and "ctypes" not in sys.modules
import giveway.sched.scheduler, giveway.scenarios.reader, giveway.simulate.engine
assert "ctypes" not in sys.modules and "giveway.page" not in sys.modules
import giveway.report.page, giveway.report.compare, giveway.cli.report, giveway.cli.compare
assert not {"torch", "giveway.page", "giveway.bench", "giveway.devices"} & sys.modules.keys()

from giveway.policies import Policy, WakeAt, everyone, only
from giveway.task import Close, WakeAt as earlier
assert earlier is WakeAt
from giveway.client import Client
from giveway.page import Page
from giveway.verify.check import Check, Place
import giveway.ray
assert callable(giveway.task) and callable(giveway.ray.options)
assert [giveway.task, giveway.tasks, giveway.current] == [
    getattr(giveway.api, name) for name in ("task", "tasks", "current")
]
assert issubclass(giveway.PageError, giveway.GivewayError)
"""


def test_what_is_documented_can_be_imported_and_pure_parts_load_no_library() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
