"""The client of the daemon, for programs: docs/guides/daemon.md shows it."""

from giveway.daemon.client import Client

__all__ = ["Client"]
