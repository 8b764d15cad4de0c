"""The command line with which Ray starts a worker under giveway: ``py_executable``.

Ray puts this text before the worker's own arguments, and runs the whole line by bash on the node.
So the text can find out there which Python runs Ray.
"""

from __future__ import annotations

import shlex
from typing import Final

from giveway.ray.worker_start import WorkerStart

# The Python with which this node's raylet starts workers, from the raylet's command line. PATH may
# have another `python` or none, if the raylet's environment is not activated. The one on PATH is
# the fallback, for a raylet whose command line does not name its Python.
NODE_PYTHON: Final = (
    r"""$({ tr '\0' '\n' </proc/$RAY_RAYLET_PID/cmdline """
    r"""| sed -n 's/^--python_worker_command=\([^ ]*\) .*/\1/p'; command -v python3 python; } """
    r"""2>/dev/null | head -n 1)"""
)

_MARK: Final = "# giveway starts a worker of Ray"

# Ray would start the Python of a `pip`, `uv` or `conda` environment, which is activated by now.
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

# The driver sends this code, because a node may have no giveway. Ray would restart a worker that
# fails to start again and again, without a message. So the worker starts whatever happens here, and
# one line reports an ungated start. Where this Python has no giveway, the environment's is tried.
_BOOT: Final = """\
%s
import os, sys
python, tried = sys.executable, os.environ.pop("GIVEWAY_TRIED_PYTHON", "")
try:
%s    from giveway.ray.start import worker
    worker(sys.argv[1], [python, *sys.argv[2:]])
except BaseException as error:
    on, what = os.uname().nodename, " ".join(str(error).split())
    if isinstance(error, ImportError):
        if python not in (sys.executable, tried):
            os.environ["GIVEWAY_TRIED_PYTHON"] = python
            os.execv(python, [python, *sys.orig_argv[1:]])
        line = f"{sys.executable} on {on} has no giveway that fits: a worker runs ungated ({what})"
    else:
        line = f"on {on} {type(error).__name__}: {what}: a worker runs ungated"
    try:
        print(f"giveway: {line}", file=sys.stderr, flush=True)
    finally:
        os.execv(python, [python, *sys.argv[2:]])
"""


def py_executable(start: WorkerStart, python: str | None = None) -> str:
    """The ``py_executable`` of a runtime environment that starts workers under giveway.

    Args:
        start: priority and other options of the worker.
        python: bash words with which the environment starts Python; None: as Ray does, with the
            Python of the environment or of the node.
    """
    boot = _BOOT % (_MARK, _OF_THE_ENVIRONMENT if python is None else "")
    return f"{python or NODE_PYTHON} -c {shlex.quote(boot)} {shlex.quote(start.to_text())}"


def python_of(executable: str | None) -> str | None:
    """The ``python`` in a result of `py_executable`. Another executable is returned unchanged."""
    if executable is None:
        return None
    python, made, _ = executable.partition(f" -c '{_MARK}")
    return None if made and python == NODE_PYTHON else python
