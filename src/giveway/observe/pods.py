"""The Kubernetes pod of a process, as far as this machine knows without asking Kubernetes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

_LOGS: Final = Path("/var/log/containers")
_ID: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class Pod(NamedTuple):
    """The labels that dcgm-exporter gives to the GPU of a container; empty: unknown."""

    pod: str = ""
    namespace: str = ""
    container: str = ""


NO_POD: Final = Pod()


def pod_of(process: Path) -> Pod:
    """The pod of a process, from its folder in /proc.

    On a node, the kubelet names a container's log after pod, namespace, container and the id of the
    container; the control group of the process has that id. Elsewhere, the process says it by the
    variables that manifests usually set: POD_NAME, POD_NAMESPACE and CONTAINER_NAME.
    """
    return _from_logs(process) or _from_environment(process) or NO_POD


def _from_logs(process: Path) -> Pod | None:
    for container_id in reversed(_ID.findall(_text(process / "cgroup"))):
        for log in _LOGS.glob(f"*-{container_id}.log"):
            parts = log.name.removesuffix(f"-{container_id}.log").split("_")
            if len(parts) == 3:
                return Pod(*parts)
    return None


def _from_environment(process: Path) -> Pod | None:
    pairs = (word.partition("=") for word in _text(process / "environ").split("\0"))
    variables = {name: value for name, _, value in pairs}
    names = ("POD_NAME", "POD_NAMESPACE", "CONTAINER_NAME")
    if not variables.get(names[0]):
        return None
    return Pod(*(variables.get(name, "") for name in names))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
