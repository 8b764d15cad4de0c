"""A Ray cluster on this machine, with nodes that are as they should be and others that are not."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import giveway

DEVICES = 4
"""GPUs that each proper node declares; Ray does not check whether they exist."""
NODES = 2
OLD_VERSION = "0.0.1"
SETTINGS = {
    "RAY_AUTH_MODE": "disabled",  # a token would be written into the home directory
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_health_check_period_ms": "1000",  # five without an answer, and a node counts as lost
}


@dataclass
class LocalCluster:
    """Two nodes with devices (resource ``proper``), one without giveway (``bare``), and one with
    another version of it (``older``)."""

    ray_cluster: Any
    folder: Path

    @property
    def address(self) -> str:
        """As for ``ray.init``."""
        return str(self.ray_cluster.address)

    @property
    def dashboard(self) -> str:
        """Where jobs are submitted."""
        return f"http://{self.ray_cluster.webui_url}"

    def add(self, resource: str, **options: Any) -> Any:
        """Adds a node with ten units of a resource of its own name."""
        return self.ray_cluster.add_node(
            resources={resource: 10}, num_cpus=options.pop("num_cpus", 2), **_SMALL, **options
        )

    def remove(self, node: Any) -> None:
        """Ends the remaining processes of a node."""
        self.ray_cluster.remove_node(node, allow_graceful=False)


_SMALL = {"object_store_memory": 80 << 20, "include_log_monitor": True}


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder for a cluster with a short path, as paths of sockets are limited to 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="gw", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ray_folder(folder: Path) -> dict[str, str]:
    """Creates Ray's own folder inside `folder`, and returns the setting that makes Ray use it.

    The default, /tmp/ray, may be missing, which Ray's test cluster does not expect, or may belong
    to another cluster.
    """
    (folder / "ray").mkdir()
    return {"RAY_TMPDIR": str(folder)}


@contextmanager
def running() -> Iterator[LocalCluster]:
    """The cluster for the block. No process of the cluster is left afterwards."""
    with short_folder() as folder:
        yield from _running(folder)


def _running(folder: Path) -> Iterator[LocalCluster]:
    from ray.cluster_utils import Cluster

    os.environ["GIVEWAY_DIR"] = str(folder / "pages")
    os.environ |= ray_folder(folder)
    head = {
        "include_dashboard": True,
        "dashboard_port": 0,
        "num_cpus": 8,
        "num_gpus": DEVICES,
        "resources": {"proper": 100},
        **_SMALL,
    }
    cluster = LocalCluster(Cluster(initialize_head=True, head_node_args=head), folder)
    try:
        for _ in range(NODES - 1):
            cluster.add("proper", num_cpus=8, num_gpus=DEVICES)
        cluster.add("bare", env_vars={"PYTHONPATH": str(_without_giveway(folder))})
        cluster.add("older", env_vars={"PYTHONPATH": str(_older_giveway(folder))})
        yield cluster
    finally:
        cluster.ray_cluster.shutdown()


def _without_giveway(folder: Path) -> Path:
    package = folder / "bare" / "giveway"
    package.mkdir(parents=True)
    says = "raise ModuleNotFoundError(\"No module named 'giveway'\", name='giveway')\n"
    (package / "__init__.py").write_text(says)
    return package.parent


def _older_giveway(folder: Path) -> Path:
    package = folder / "older" / "giveway"
    shutil.copytree(Path(giveway.__file__).parent, package)
    (package / "version.py").write_text(f'__version__ = "{OLD_VERSION}"\n')
    return package.parent
