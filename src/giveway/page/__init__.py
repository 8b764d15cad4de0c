"""The gate pages, through ctypes over libgiveway: the operations of an observer.

``giveway.page.decider`` has the operations that only a daemon needs.
"""

from giveway.page.library import (
    ATTRIBUTES_SIZE,
    NO_PAGE,
    NO_TASK,
    ROWS,
    TAKEN,
    TaskInfo,
    error,
    hook_path,
    library,
    library_path,
)
from giveway.page.observer import Page, as_task, page_names, page_path

__all__ = [
    "ATTRIBUTES_SIZE",
    "NO_PAGE",
    "NO_TASK",
    "ROWS",
    "TAKEN",
    "Page",
    "TaskInfo",
    "as_task",
    "error",
    "hook_path",
    "library",
    "library_path",
    "page_names",
    "page_path",
]
