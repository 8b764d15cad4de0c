"""The command line with which Ray starts a worker under giveway: ``py_executable``.

Ray puts it before the worker's own arguments and gives the whole to bash, on the node. So it can
say what only the node knows: which Python runs Ray there.
"""

from __future__ import annotations

import shlex
from typing import Final

from giveway.ray.asked import Asked

# The Python with which this node's raylet starts workers. Not `python`: a raylet that was started
# from an environment that is not activated would find another one on PATH, or none.
NODE_PYTHON: Final = (
    r"""$(tr '\0' '\n' </proc/$RAY_RAYLET_PID/cmdline """
    r"""| sed -n 's/^--python_worker_command=\([^ ]*\) .*/\1/p')"""
)

# Comes along from the driver, because a node may have no giveway. A worker that does not start
# would be started again for ever, and nobody told why: so it starts, and one line says how.
_BOOT: Final = """\
import os, sys
try:
    from giveway.ray.start import worker
except ImportError as why:
    node, python = os.uname().nodename, sys.executable
    line = f"giveway: {python} on {node} has no giveway that fits: a worker runs ungated ({why})"
    print(line, file=sys.stderr, flush=True)
    os.execv(python, [python, *sys.argv[2:]])
worker(sys.argv[1], sys.argv[2:])
"""


def py_executable(asked: Asked, python: str | None = None) -> str:
    """For a runtime environment: starts workers under giveway.

    Args:
        asked: priority and so on.
        python: how the environment would start Python, as bash has it; None: as the node does.
    """
    return f"{python or NODE_PYTHON} -c {shlex.quote(_BOOT)} {shlex.quote(asked.write())}"
