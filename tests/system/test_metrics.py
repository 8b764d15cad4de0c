"""The metrics of a real daemon, and the dashboard, which must use existing metrics only."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions
from tests.system.daemons import Daemon
from tests.waiting import eventually

DASHBOARD = Path(__file__).parents[2] / "contrib" / "grafana-dashboard.json"
Labels = dict[str, str]


class Scrape:
    """One scrape of the exporter, parsed as Prometheus does."""

    def __init__(self, url: str) -> None:
        from prometheus_client.parser import text_string_to_metric_families

        with urllib.request.urlopen(url, timeout=60) as response:
            assert response.headers["Content-Type"].startswith("text/plain")
            text = response.read().decode()
        self.samples: dict[str, list[tuple[Labels, float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self.samples.setdefault(sample.name, []).append((sample.labels, sample.value))

    def value(self, metric: str, /, **labels: str) -> float:
        (value,) = (
            value
            for have, value in self.samples[metric]
            if all(have[key] == wanted for key, wanted in labels.items())
        )
        return value


@pytest.fixture
def scrape(spawn: Spawner) -> Callable[[], Scrape]:
    daemon = Daemon(spawn, "--policy", "share", "--metrics", "127.0.0.1:0")
    assert daemon.process.stdout is not None
    url = daemon.process.stdout.readline().split()[-1]
    return lambda: Scrape(url)


def test_the_exporter_tells_of_every_task(
    scrape: Callable[[], Scrape], regions: Regions, giveway: Runner
) -> None:
    first, second = regions("--share", "75", "--name", "a"), regions("--share", "25")
    assert eventually(lambda: len(scrape().samples["giveway_task_paused"]) == 2)
    before = scrape()
    pid = str(first.pid)
    assert eventually(lambda: scrape().value("giveway_task_preemptions_total", pid=pid) > 20)
    # Between two of its launches the task may be idle for a moment.
    active = {"pid": pid, "name": "a", "device": "cpu"}
    assert eventually(lambda: scrape().value("giveway_task_active", **active) == 1)
    growing = (
        *("giveway_task_launches_total", "giveway_task_running_seconds_total"),
        *("giveway_task_wait_seconds_count", "giveway_task_held_seconds_total"),
    )

    def grown() -> bool:
        now = scrape()
        return all(now.value(name, pid=pid) > before.value(name, pid=pid) for name in growing)

    assert eventually(grown)
    after = scrape()
    assert after.value("giveway_up") == 1
    assert after.value("giveway_policy", policy="share") == 1
    assert after.value("giveway_task_share_ratio", pid=pid) == 0.75
    assert after.value("giveway_task_paused", pid=pid) == 0
    assert after.value("giveway_decision_seconds_count") > 0
    assert after.value("giveway_device_busy_seconds_total", device="cpu") > 0
    buckets = [value for labels, value in after.samples["giveway_task_wait_seconds_bucket"]
               if labels["pid"] == pid]  # fmt: skip
    assert buckets == sorted(buckets)
    assert buckets[-1] == after.value("giveway_task_wait_seconds_count", pid=pid)
    second.kill()
    second.wait()
    assert eventually(lambda: len(scrape().samples["giveway_task_paused"]) == 1)


def queries() -> list[tuple[str, str]]:
    """Every expression of the dashboard, with the legend that is written from its labels."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    found = [
        (target["expr"], target.get("legendFormat", ""))
        for panel in document["panels"]
        for target in panel["targets"]
    ]
    variables = [v["query"] for v in document["templating"]["list"] if v["type"] == "query"]
    return [*found, *((query, "") for query in variables)]


def test_the_dashboard_asks_for_what_there_is(
    scrape: Callable[[], Scrape], regions: Regions
) -> None:
    regions("--share", "60")
    regions("--share", "40")
    assert eventually(lambda: len(scrape().samples["giveway_task_paused"]) == 2)
    have = scrape().samples
    assert len(queries()) > 10
    for expression, legend in queries():
        names = re.findall(r"\bgiveway_\w+", expression)
        assert names, expression
        for name in names:
            assert have.get(name), f"{name} in {expression}"
        labels = {word.strip() for group in re.findall(r"(?:by|on) \(([^)]*)\)", expression)
                  for word in group.split(",")}  # fmt: skip
        labels |= set(re.findall(r"(\w+)=~?\"", expression))
        labels |= set(re.findall(r"label_values\(\w+, (\w+)\)", expression))
        shown = set(re.findall(r"{{(\w+)}}", legend))
        for name in names:
            assert labels <= have[name][0][0].keys(), expression
        # A sum keeps only the labels that it is grouped by.
        grouped = re.findall(r"by \(([^)]*)\)", expression)
        kept = {word.strip() for word in grouped[0].split(",")} if grouped else have[names[0]][0][0]
        assert shown <= set(kept), (expression, legend)


def test_a_taken_port_is_one_line(
    giveway: Runner, spawn: Spawner, tmp_path: Path, scrape: Callable[[], Scrape]
) -> None:
    import socket

    with socket.socket() as first:
        first.bind(("127.0.0.1", 0))
        first.listen()
        port = first.getsockname()[1]
        environment = {"GIVEWAY_DIR": str(tmp_path / "other")}
        done = giveway("serve", "--metrics", f"127.0.0.1:{port}", env=environment)
    assert done.returncode == 7
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"giveway: no metrics on 127.0.0.1:{port}")


def test_without_the_extra_it_says_what_to_install(spawn: Spawner, tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('not here')\n")
    process = spawn(
        *(GIVEWAY, "serve", "--metrics", "127.0.0.1:0"),
        env={"PYTHONPATH": str(tmp_path)},
        stderr=-1,
    )
    _, said = process.communicate(timeout=60)
    assert process.returncode == 5
    assert said == "giveway: --metrics needs prometheus-client: pip install 'giveway[metrics]'\n"
