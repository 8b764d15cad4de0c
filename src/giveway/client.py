"""The daemon's client for programs; docs/guides/daemon.md shows its use."""

from giveway.daemon.client import Client

__all__ = ["Client"]
