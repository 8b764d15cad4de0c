"""giveway makes low-priority GPU work give way.

Programs need nothing from here: ``giveway run --priority 10 -- python serve.py`` gates them as they
are. A program that wants threads of different priorities uses :func:`task`.
"""

from typing import TYPE_CHECKING, Any

# Also binds the name giveway.task to the module, which must not happen later: the name is that of
# the function below.
import giveway.task as _events
from giveway.errors import GivewayError, NoSuchTaskError, PageError, UsageError
from giveway.version import __version__

if TYPE_CHECKING:
    from giveway.api import current, task, tasks
    from giveway.sched.task import Task
else:
    Task = _events.Task
    del task

__all__ = [
    "GivewayError",
    "NoSuchTaskError",
    "PageError",
    "Task",
    "UsageError",
    "__version__",
    "current",
    "task",
    "tasks",
]


def __getattr__(name: str) -> Any:
    """Imports the API when it is first used: it loads the C library, which most imports of giveway
    have no use for."""
    if name not in ("current", "task", "tasks"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from giveway import api

    value = globals()[name] = getattr(api, name)
    return value
