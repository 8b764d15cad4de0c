"""Metrics for Prometheus. The exporter is a client of the daemon: a scrape delays no decision."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from giveway import page
from giveway.daemon.client import Client
from giveway.errors import DaemonError, MissingExtraError, PageError, UsageError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from giveway.sched.task import Task

TASK_LABELS = ("device", "pid", "name", "ticket")


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of an address such as ``127.0.0.1:9400``.

    Only loopback addresses are allowed, because every client that can connect can read all metrics.

    Raises:
        UsageError: not an address, or not a loopback address.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        number = int(port)
    except ValueError:
        raise UsageError(f"{text!r} is no address: write 127.0.0.1:9400") from None
    if not loopback or not 0 <= number <= 65535:
        raise UsageError(f"{text!r} is no port of this machine alone: write 127.0.0.1:9400")
    return host, number


def start(host: str, port: int) -> int:
    """Starts to answer scrapes, in threads of this process; returns the port.

    Raises:
        MissingExtraError: prometheus-client is not installed.
        DaemonError: the port cannot be opened.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        raise MissingExtraError(
            "--metrics needs prometheus-client: pip install 'giveway[metrics]'"
        ) from None
    registry = CollectorRegistry()
    registry.register(Exporter())  # type: ignore[arg-type]
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise DaemonError(f"no metrics on {host}:{port}: {error.strerror}") from None
    return int(server.server_port)


class Exporter:
    """A collector that reads the daemon's status and the pages at every scrape."""

    def describe(self) -> Iterable[Metric]:
        """Empty: the metrics are known only after the first scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        try:
            with Client(timeout=2) as daemon:
                status = daemon.status()
        except DaemonError:
            status = None
        return iter(metrics(status, _read_tasks()))


def _read_tasks() -> list[Task]:
    tasks = []
    for name in page.page_names():
        try:
            tasks += page.Page.open(name).tasks()
        except PageError:
            continue
    return tasks


def metrics(status: Mapping[str, Any] | None, tasks: Iterable[Task]) -> list[Metric]:
    """All metrics; those of the pages alone if no daemon answers (``status`` is None)."""
    from prometheus_client.core import GaugeMetricFamily

    up = GaugeMetricFamily("giveway_up", "Whether the daemon answers.")
    up.add_metric([], float(status is not None))
    found: list[Metric] = [up, *_from_pages(tasks)]
    if status is not None:
        found += [*_from_daemon(status), *_of_tasks(status["tasks"])]
    return found


def _from_pages(tasks: Iterable[Task]) -> list[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    active = GaugeMetricFamily("giveway_task_active", "1: the task has work.", labels=TASK_LABELS)
    held = GaugeMetricFamily(
        "giveway_task_held", "1: the task has work and waits at its gate.", labels=TASK_LABELS
    )
    priority = GaugeMetricFamily("giveway_task_priority", "Bigger first.", labels=TASK_LABELS)
    launches = CounterMetricFamily("giveway_task_launches", "Launches.", labels=TASK_LABELS)
    preemptions = CounterMetricFamily(
        "giveway_task_preemptions",
        "Times the gate closed while the task had work.",
        labels=TASK_LABELS,
    )
    waited = CounterMetricFamily(
        "giveway_task_held_seconds", "Time at a closed gate, all threads.", labels=TASK_LABELS
    )
    for task in tasks:
        labels = [task.device, str(task.pid), task.name, str(task.ticket)]
        active.add_metric(labels, float(task.state != "idle"))
        held.add_metric(labels, float(task.state == "held"))
        priority.add_metric(labels, task.priority)
        launches.add_metric(labels, task.launches)
        preemptions.add_metric(labels, task.preemptions)
        waited.add_metric(labels, task.held_seconds)
    return [active, held, priority, launches, preemptions, waited]


def _from_daemon(status: Mapping[str, Any]) -> list[Metric]:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    policy = GaugeMetricFamily("giveway_policy", "1: the policy is in service.", labels=("policy",))
    policy.add_metric([status["policy"]], 1.0)
    events = CounterMetricFamily("giveway_events", "Events in the daemon's log so far.")
    events.add_metric([], status["last_event"])
    busy = CounterMetricFamily(
        "giveway_device_busy_seconds",
        "Time during which at least one task ran.",
        labels=("device",),
    )
    for device, seconds in status["devices"].items():
        busy.add_metric([device], seconds)
    decisions = HistogramMetricFamily(
        "giveway_decision_seconds", "From the wake-up of the daemon to the written gates."
    )
    _add_histogram(decisions, [], status["decisions"])
    return [policy, events, busy, decisions]


def _of_tasks(tasks: Iterable[Mapping[str, Any]]) -> list[Metric]:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    running = CounterMetricFamily(
        "giveway_task_running_seconds",
        "Time with work in flight: active, and the gate open.",
        labels=TASK_LABELS,
    )
    promised = GaugeMetricFamily(
        "giveway_task_share_ratio", "The share promised to the task, if any.", labels=TASK_LABELS
    )
    paused = GaugeMetricFamily(
        "giveway_task_paused", "1: paused by giveway pause.", labels=TASK_LABELS
    )
    waits = HistogramMetricFamily(
        "giveway_task_wait_seconds", "Each wait at a closed gate.", labels=TASK_LABELS
    )
    bursts = HistogramMetricFamily(
        "giveway_task_latency_seconds",
        "From becoming active to being idle, waits included.",
        labels=TASK_LABELS,
    )
    for task in tasks:
        labels = [task["device"], str(task["pid"]), task["name"], str(task["ticket"])]
        running.add_metric(labels, task["running_seconds"])
        paused.add_metric(labels, float(task["paused"]))
        if "share" in task["attributes"]:
            promised.add_metric(labels, float(task["attributes"]["share"]) / 100)
        _add_histogram(waits, labels, task["waits"])
        _add_histogram(bursts, labels, task["bursts"])
    return [running, promised, paused, waits, bursts]


def _add_histogram(family: Any, labels: list[str], histogram: Mapping[str, Any]) -> None:
    total = 0
    buckets = []
    bounds = [*(f"{bound:g}" for bound in histogram["bounds"]), "+Inf"]
    for bound, count in zip(bounds, histogram["counts"], strict=True):
        total += count
        buckets.append((bound, total))
    family.add_metric(labels, buckets, histogram["sum"])
