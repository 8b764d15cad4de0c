"""The command line with which Ray starts a worker under giveway: ``py_executable``.

Ray puts it before the worker's own arguments and gives the whole to bash, on the node. So it can
say what only the node knows: which Python runs Ray there.
"""

from __future__ import annotations

import shlex
from typing import Final

from giveway.ray.asked import Asked

# The Python with which this node's raylet starts workers. Not `python`: a raylet that was started
# from an environment that is not activated would find another one on PATH, or none. That one is
# for when the raylet does not say.
NODE_PYTHON: Final = (
    r"""$({ tr '\0' '\n' </proc/$RAY_RAYLET_PID/cmdline """
    r"""| sed -n 's/^--python_worker_command=\([^ ]*\) .*/\1/p'; command -v python3 python; } """
    r"""2>/dev/null | head -n 1)"""
)

_MARK: Final = "# giveway starts a worker of Ray"

# Ray would start the Python of a `pip`, `uv` or `conda` environment, and has activated it by now.
_OF_THE_ENVIRONMENT: Final = """\
    folder = os.environ.get("VIRTUAL_ENV", "")
    if "/runtime_resources/" not in folder:
        folder = os.environ.get("CONDA_PREFIX", "")
        if folder:
            with open(f"/proc/{os.environ['RAY_RAYLET_PID']}/environ", errors="replace") as file:
                if f"CONDA_PREFIX={folder}" in file.read().split(chr(0)):
                    folder = ""
    if folder and os.access(f"{folder}/bin/python", os.X_OK):
        python = f"{folder}/bin/python"
"""

# Comes along from the driver, because a node may have no giveway. A worker that does not start
# would be started again for ever, and nobody told why: so it starts, whatever happens here, and
# one line says how. Where only the environment has giveway, its Python is asked next.
_BOOT: Final = """\
%s
import os, sys
python, asked = sys.executable, os.environ.pop("GIVEWAY_ASKED_PYTHON", "")
try:
%s    from giveway.ray.start import worker
    worker(sys.argv[1], [python, *sys.argv[2:]])
except BaseException as why:
    on, what = os.uname().nodename, " ".join(str(why).split())
    if isinstance(why, ImportError):
        if python not in (sys.executable, asked):
            os.environ["GIVEWAY_ASKED_PYTHON"] = python
            os.execv(python, [python, *sys.orig_argv[1:]])
        line = f"{sys.executable} on {on} has no giveway that fits: a worker runs ungated ({what})"
    else:
        line = f"on {on} {type(why).__name__}: {what}: a worker runs ungated"
    try:
        print(f"giveway: {line}", file=sys.stderr, flush=True)
    finally:
        os.execv(python, [python, *sys.argv[2:]])
"""


def py_executable(asked: Asked, python: str | None = None) -> str:
    """For a runtime environment: starts workers under giveway.

    Args:
        asked: priority and so on.
        python: how the environment would start Python, as bash has it; None: as Ray does, which is
            with the Python of the environment, or of the node.
    """
    boot = _BOOT % (_MARK, _OF_THE_ENVIRONMENT if python is None else "")
    return f"{python or NODE_PYTHON} -c {shlex.quote(boot)} {shlex.quote(asked.write())}"


def python_of(executable: str | None) -> str | None:
    """The ``python`` that `py_executable` was given, where it has made this one; else this one."""
    if executable is None:
        return None
    python, made, _ = executable.partition(f" -c '{_MARK}")
    return None if made and python == NODE_PYTHON else python
