"""The metrics of tasks and of the daemon, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from giveway.observe.details import UNKNOWN, Details, Key
from giveway.sched.task import SLACKS, Task, TaskId
from giveway.text import printable

if TYPE_CHECKING:
    from prometheus_client.core import Metric

# Those of dcgm-exporter, where it has one for the same thing.
DEVICE_LABELS = ("device", "gpu", "UUID")
TASK_LABELS = (*DEVICE_LABELS, "pod", "namespace", "container", "pid", "name", "user", "ticket")

_MEMORY = {
    "memory": "GPU memory in use, as giveway counts it.",
    "memory_host": "Memory of the task that is in host memory, because the task is parked.",
    "memory_peak": "The most that was in use.",
    "memory_limit": "The limit of giveway run --memory, if any.",
    "memory_reserve": "What giveway run --reserve keeps free, if anything.",
}
"""By the field of a task."""


def _device_labels(device: str, gpu: int | None) -> list[str]:
    uuid = device if device.startswith("GPU-") else ""
    return [device, "" if gpu is None else str(gpu), uuid]


def _task_labels(device: str, pid: int, name: str, ticket: int, details: Details) -> list[str]:
    own = (*details.pod, str(pid), name, details.user or "", str(ticket))
    return [*_device_labels(device, details.gpu), *map(printable, own)]


def metrics(
    status: Mapping[str, Any] | None,
    tasks: Iterable[Task],
    details: Mapping[Key, Details],
    gpus: Mapping[str, int],
) -> list[Metric]:
    """All metrics.

    Args:
        status: the daemon's status; None: no daemon answers.
        tasks: the tasks on the pages.
        details: the details of these tasks.
        gpus: the numbers of those of the daemon's devices that are GPUs.
    """
    from prometheus_client.core import GaugeMetricFamily

    up = GaugeMetricFamily("giveway_up", "Whether the daemon answers.")
    up.add_metric([], float(status is not None))
    tasks = list(tasks)
    found: list[Metric] = [up, *_from_pages(tasks, details), *_of_slack(tasks, details)]
    if status is not None:
        found += [*_from_daemon(status, gpus), *_of_tasks(status["tasks"], details)]
    return found


def _from_pages(tasks: Iterable[Task], details: Mapping[Key, Details]) -> list[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    active = GaugeMetricFamily("giveway_task_active", "1: the task has work.", labels=TASK_LABELS)
    held = GaugeMetricFamily(
        "giveway_task_held", "1: the task has work and waits at its gate.", labels=TASK_LABELS
    )
    parked = GaugeMetricFamily(
        "giveway_task_parked", "1: the task has no GPU memory.", labels=TASK_LABELS
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
    memory = GaugeMetricFamily(
        "giveway_task_gpu_memory_bytes",
        "Memory that the task's process uses on its GPU, where the driver says so.",
        labels=TASK_LABELS,
    )
    counted = {
        field: GaugeMetricFamily(f"giveway_task_{field}_bytes", text, labels=TASK_LABELS)
        for field, text in _MEMORY.items()
    }
    for task in tasks:
        known = details.get(TaskId(task.device, task.ticket), UNKNOWN)
        labels = _task_labels(task.device, task.pid, task.name, task.ticket, known)
        for field, family in counted.items():
            if (value := getattr(task, field)) is not None:
                family.add_metric(labels, value)
        if known.gpu_memory_bytes is not None:
            memory.add_metric(labels, known.gpu_memory_bytes)
        active.add_metric(labels, float(task.state in ("active", "held")))
        parked.add_metric(labels, float(task.state == "parked"))
        held.add_metric(labels, float(task.state == "held"))
        priority.add_metric(labels, task.priority)
        launches.add_metric(labels, task.launches)
        preemptions.add_metric(labels, task.preemptions)
        waited.add_metric(labels, task.held_seconds)
    return [
        active,
        held,
        parked,
        priority,
        launches,
        preemptions,
        waited,
        memory,
        *counted.values(),
    ]


def _of_slack(tasks: Iterable[Task], details: Mapping[Key, Details]) -> list[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    tolerance = GaugeMetricFamily(
        "giveway_task_tolerance_ratio",
        "By how much less urgent tasks may slow the task down: 0.1 for 10 %.",
        labels=TASK_LABELS,
    )
    slowdown = GaugeMetricFamily(
        "giveway_task_slowdown_ratio",
        "By how much less urgent tasks slow the task down while they run beside it, where known.",
        labels=TASK_LABELS,
    )
    slack = GaugeMetricFamily(
        "giveway_task_slack",
        "1: the slowdown is within the tolerance, beyond it, or unknown.",
        labels=(*TASK_LABELS, "slack"),
    )
    credit = GaugeMetricFamily(
        "giveway_task_credit_seconds",
        "The delay that is tolerated in this episode and has not happened.",
        labels=TASK_LABELS,
    )
    together = CounterMetricFamily(
        "giveway_task_together_seconds",
        "Time with work in which less urgent tasks ran.",
        labels=TASK_LABELS,
    )
    contended = CounterMetricFamily(
        "giveway_task_contended_seconds",
        "Time with work in which less urgent tasks had work, too.",
        labels=TASK_LABELS,
    )
    for task in tasks:
        if not task.slack:
            continue
        known = details.get(TaskId(task.device, task.ticket), UNKNOWN)
        labels = _task_labels(task.device, task.pid, task.name, task.ticket, known)
        tolerance.add_metric(labels, task.tolerance / 100)
        if task.slowdown is not None:
            slowdown.add_metric(labels, task.slowdown / 100)
        for each in SLACKS[1:]:
            slack.add_metric([*labels, each], float(each == task.slack))
        credit.add_metric(labels, task.credit_seconds)
        together.add_metric(labels, task.together_seconds)
        contended.add_metric(labels, task.contended_seconds)
    return [tolerance, slowdown, slack, credit, together, contended]


def _from_daemon(status: Mapping[str, Any], gpus: Mapping[str, int]) -> list[Metric]:
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
        labels=DEVICE_LABELS,
    )
    for device, seconds in status["devices"].items():
        busy.add_metric(_device_labels(device, gpus.get(device)), seconds)
    decisions = HistogramMetricFamily(
        "giveway_decision_seconds", "From the wake-up of the daemon to the written gates."
    )
    _add_histogram(decisions, [], status["decisions"])
    return [policy, events, busy, decisions]


def _of_tasks(tasks: Iterable[Mapping[str, Any]], details: Mapping[Key, Details]) -> list[Metric]:
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
        id_ = TaskId(task["device"], int(task["ticket"]))
        labels = _task_labels(
            task["device"], task["pid"], task["name"], id_.ticket, details.get(id_, UNKNOWN)
        )
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
