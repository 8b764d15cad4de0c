"""Metrics of real programs, from a daemon and without one."""

from __future__ import annotations

import getpass
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.conftest import Regions
from tests.system.daemons import Daemon
from tests.waiting import eventually

Labels = dict[str, str]


class Scrape:
    """Metrics, parsed as Prometheus does."""

    def __init__(self, text: str) -> None:
        from prometheus_client.parser import text_string_to_metric_families

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


def scrape_url(url: str) -> Scrape:
    with urllib.request.urlopen(url, timeout=60) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        return Scrape(response.read().decode())


@pytest.fixture
def scrape(spawn: Spawner) -> Callable[[], Scrape]:
    daemon = Daemon(spawn, "--policy", "share", "--metrics", "127.0.0.1:0")
    assert daemon.process.stdout is not None
    url = daemon.process.stdout.readline().split()[-1]
    return lambda: scrape_url(url)


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


def test_once_and_without_a_daemon(giveway: Runner, regions: Regions, tmp_path: Path) -> None:
    pid = regions("--name", "a", "--priority", "7").pid
    done = giveway("metrics")
    assert (done.returncode, done.stderr) == (0, "")
    found = Scrape(done.stdout)
    labels = {"pid": str(pid), "name": "a", "user": getpass.getuser(), "gpu": "", "pod": ""}
    assert found.value("giveway_task_priority", **labels) == 7
    assert found.value("giveway_up") == 0
    file = tmp_path / "giveway.prom"
    done = giveway("metrics", "--output", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert Scrape(file.read_text()).value("giveway_task_priority", **labels) == 7


def test_on_every_network_if_told_to(spawn: Spawner) -> None:
    command = (GIVEWAY, "serve", "--metrics", "0.0.0.0:0")
    process = spawn(*command, stderr=subprocess.PIPE)
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    assert url.startswith("http://0.0.0.0:")
    assert eventually(lambda: scrape_url(url).value("giveway_up") == 1)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert said.splitlines()[0].startswith("giveway: whoever can connect to this port")


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
