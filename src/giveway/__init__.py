"""giveway makes low-priority GPU work give way.

Programs need nothing from here: ``giveway run --priority 10 -- python serve.py`` gates them as they
are. A program that wants threads of different priorities uses :func:`task`.
"""

from giveway.api import current, task, tasks
from giveway.errors import GivewayError, NoSuchTaskError, PageError, UsageError
from giveway.task import Task
from giveway.version import __version__

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
