"""Serves metrics to Prometheus, or writes them once. A client of the daemon: a scrape delays no
decision."""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from giveway.daemon.client import Client
from giveway.daemon.metrics import metrics
from giveway.errors import DaemonError, GivewayError, MissingExtraError, PageError, UsageError
from giveway.observe import tasks as observed
from giveway.observe.details import Inspector
from giveway.page.observer import Page, page_names

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from giveway.sched.task import Task


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of an address such as ``127.0.0.1:9400`` or ``[::]:9400``.

    Raises:
        UsageError: not the address and port of an interface.
    """
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
        number = int(port)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise UsageError(
            f"{text!r} is no IP:PORT: write 127.0.0.1:9400 for this machine alone, "
            "0.0.0.0:9400 for every network"
        )
    return str(address), number


def is_public(host: str) -> bool:
    """Whether other machines may connect to the address."""
    return not ipaddress.ip_address(host).is_loopback


def start(host: str, port: int) -> str:
    """Starts to answer scrapes, in threads of this process. Returns the URL.

    Raises:
        MissingExtraError: prometheus-client is not installed.
        DaemonError: the port cannot be opened.
    """
    registry = _registry(Exporter(), "--metrics")
    from prometheus_client import start_http_server

    shown = f"[{host}]" if ":" in host else host
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise DaemonError(f"no metrics on {shown}:{port}: {error.strerror}") from None
    return f"http://{shown}:{server.server_port}/metrics"


def text() -> str:
    """The metrics now, in the text format of Prometheus.

    Raises:
        MissingExtraError: prometheus-client is not installed.
        PageError: a gate page cannot be used.
    """
    registry = _registry(Exporter(strict=True), "giveway metrics")
    from prometheus_client import generate_latest

    return generate_latest(registry).decode()


def replace_file(path: Path, content: str) -> None:
    """Writes a file that other users may read. A reader finds the old content or the new one.

    Raises:
        GivewayError: the file cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(content)
                os.fchmod(file.fileno(), 0o644)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise GivewayError(f"cannot write {path}: {error.strerror}") from None


class Exporter:
    """A collector that reads the daemon's status and the pages at every scrape."""

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        """Whether a page that cannot be used is an error."""
        self._inspector = Inspector()

    def describe(self) -> Iterable[Metric]:
        """Empty: the metrics are known only after the first scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        try:
            with Client(timeout=2) as daemon:
                status = daemon.status()
        except DaemonError:
            status = None
        tasks = observed.read() if self._strict else _read_tasks()
        gpus = self._inspector.gpu_numbers(status["devices"] if status is not None else ())
        return iter(metrics(status, tasks, self._inspector.read(tasks), gpus))


def _read_tasks() -> list[Task]:
    tasks = []
    for name in page_names():
        try:
            tasks += Page.open(name).tasks()
        except PageError:
            continue
    return tasks


def _registry(collector: Exporter, what: str) -> CollectorRegistry:
    try:
        from prometheus_client import CollectorRegistry
    except ImportError:
        raise MissingExtraError(
            f"{what} needs prometheus-client: pip install 'giveway[metrics]'"
        ) from None
    registry = CollectorRegistry()
    registry.register(collector)  # type: ignore[arg-type]
    return registry
