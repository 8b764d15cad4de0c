"""`giveway policy`, `set`, `pause`, `resume`, `events`, `run --share`, and the same in Python."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from giveway import page
from giveway.daemon.client import Client
from giveway.errors import DaemonError, NoSuchTaskError, UsageError
from tests.conftest import GIVEWAY, Runner, Spawner, one_line
from tests.system.conftest import Regions, Serve
from tests.system.watching import goes_on, stands_still, task_of
from tests.waiting import eventually


def attributes(pid: int) -> str:
    of = page.Page.open("cpu")
    (task,) = (task for task in of.tasks() if task.pid == pid)
    return of.attributes(task.ticket)


def test_policies_are_listed_without_a_daemon(giveway: Runner) -> None:
    done = giveway("policy", "--list")
    assert done.returncode == 0
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert {"priority", "edf", "laxity", "share", "group-share", "fair", "rr"} <= lines.keys()
    assert all(len(what) > 10 for what in lines.values())


@pytest.mark.parametrize(
    "args", [["policy"], ["policy", "fair"], ["events"], ["pause", "1"], ["resume", "1"]]
)
def test_what_needs_a_daemon_says_so(giveway: Runner, args: list[str]) -> None:
    done = giveway(*args)
    assert (done.returncode, done.stdout) == (7, "")
    assert one_line(done.stderr) == "giveway: no daemon runs: start one with giveway serve"


def test_attributes_stay_with_the_task_without_a_daemon(giveway: Runner, regions: Regions) -> None:
    pid = regions("--deadline", "0.02s", "--share", "30%", "--group", "web").pid
    assert attributes(pid) == "deadline=20ms share=30 group=web"
    done = giveway("set", str(pid), "deadline=none", "share=40", "priority=3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"regions ({pid}): deadline=none share=40 priority 0 → 3\n"
    assert attributes(pid) == "share=40 group=web"
    (task,) = json.loads(giveway("ps", "--json").stdout)["tasks"]
    assert task["priority"] == 3


def test_attributes_are_not_inherited_from_outside(
    giveway: Runner, regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_ATTRIBUTES", "share=99")
    assert attributes(regions().pid) == ""


def test_attributes_that_do_not_fit_are_refused(giveway: Runner, regions: Regions) -> None:
    pid = regions().pid
    done = giveway("set", str(pid), f"group={'ä' * 64}", "deadline=3599999999999ns")
    assert done.returncode == 0
    done = giveway(
        "set",
        str(pid),
        f"group={'好' * 64}",
        *(f"{a}=1000.000001ms" for a in ("deadline", "laxity", "slice")),
    )
    assert done.returncode == 2
    assert "bytes, and 247 fit: shorten group" in one_line(done.stderr)


def test_a_paused_task_waits_until_it_is_resumed(
    serve: Serve, regions: Regions, giveway: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "20")  # after which others would have a turn
    daemon = serve()
    pid, other = regions().pid, regions().pid
    assert eventually(lambda: daemon.task(pid))
    done = giveway("pause", str(pid))
    assert (done.returncode, done.stdout) == (0, f"regions ({pid}): paused\n")
    assert eventually(lambda: stands_still(pid, other))
    assert eventually(lambda: task_of(pid).state == "held")
    assert daemon.task(pid)["paused"]
    assert giveway("resume", str(pid)).stdout == f"regions ({pid}): resumed\n"
    assert goes_on(pid)
    said = [event["what"] for event in daemon.events()]
    assert [what for what in said if what in ("paused", "resumed")] == ["paused", "resumed"]


def test_a_paused_task_goes_on_when_the_daemon_ends(serve: Serve, regions: Regions) -> None:
    daemon = serve()
    pid = regions().pid
    assert eventually(lambda: daemon.task(pid))
    daemon.pause(pid)
    daemon.process.kill()
    assert goes_on(pid)


def test_others_do_not_wait_for_a_paused_task(
    serve: Serve, regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEWAY_MAX_WAIT_MS", "0")  # no turns
    daemon = serve("--policy", "priority")
    low = regions().pid  # first: it could not begin while the other one runs
    high = regions("--priority", "5").pid
    assert eventually(lambda: stands_still(low, high))
    daemon.pause(high)
    assert goes_on(low)


def test_events_say_who_held_whom_when_and_why(
    serve: Serve, regions: Regions, giveway: Runner
) -> None:
    daemon = serve("--policy", "rr")
    first, second = regions("--name", "first").pid, regions("--name", "second").pid
    assert eventually(lambda: len(daemon.events("held")) > 3)
    done = giveway("events")
    assert done.returncode == 0
    assert f"held       first ({first}) on cpu for second ({second}) (rr)" in done.stdout
    events = [json.loads(line) for line in giveway("events", "--json").stdout.splitlines()]
    held = next(event for event in events if event["what"] == "held")
    assert {held["pid"], held["by"]["pid"]} == {first, second}
    assert abs(held["time"] - time.time()) < 60
    assert [event["event"] for event in events] == list(range(1, len(events) + 1))


def test_events_are_followed_until_the_daemon_ends(serve: Serve, spawn: Spawner) -> None:
    daemon = serve()
    follower = spawn(GIVEWAY, "events", "--follow", stderr=-1)
    assert follower.stdout is not None
    assert follower.stderr is not None
    assert "started" in follower.stdout.readline()
    daemon.policy("fair")
    while "policy fair" not in (line := follower.stdout.readline()):
        assert line
    daemon.process.terminate()
    assert follower.wait(timeout=60) == 0
    assert one_line(follower.stderr.read()) == "giveway: the daemon has ended"


def test_python_gets_the_errors_of_the_command_line(serve: Serve, regions: Regions) -> None:
    with pytest.raises(DaemonError, match="no daemon runs"):
        Client()
    daemon = serve()
    process = regions()
    assert eventually(lambda: daemon.task(process.pid))
    with Client() as client:
        with pytest.raises(UsageError, match="did you mean 'fair'"):
            client.policy("fare")
        with pytest.raises(NoSuchTaskError, match="process 1 has no task"):
            client.pause(1)
        with pytest.raises(NoSuchTaskError, match="named 'x'"):
            client.resume(process.pid, name="x")
        assert client.policy() == "priority"
        assert client.policy("rr,slice=2ms") == "rr"


def test_a_daemon_ends_in_order(serve: Serve, giveway_dir: Path) -> None:
    daemon = serve()
    assert (giveway_dir / "daemon.sock").stat().st_mode & 0o777 == 0o600
    daemon.process.terminate()
    assert daemon.process.wait(timeout=60) == 0
    assert not (giveway_dir / "daemon.sock").exists()
