"""`giveway run` is invisible to the program: codes, signals, stdin, terminal, environment."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from giveway import devices
from giveway.devices import get
from giveway.devices.preload import EXEC
from tests.conftest import GIVEWAY, UNPRIVILEGED, Runner, Spawner, one_line

PRELOADED = f"{get('cpu').hook}:{get('cpu').hook.with_name(EXEC)}"
SHOW_ENVIRONMENT = "import json, os; print(json.dumps({**os.environ, 'pid': os.getpid()}))"


def executable(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("code", [0, 1, 3, 126, 255])
def test_the_exit_code_is_the_programs(giveway: Runner, code: int) -> None:
    done = giveway("run", "--", "sh", "-c", f"exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize("program", ["no-such-program-anywhere", "/no/such/file", "./no-file", ""])
def test_a_missing_program_is_127(giveway: Runner, program: str) -> None:
    done = giveway("run", "--", program)
    assert done.returncode == 127
    assert (program or "''") in one_line(done.stderr)


def test_a_folder_without_permission_is_no_obstacle_on_path(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def run(program: str) -> subprocess.CompletedProcess[str]:
        command = [*UNPRIVILEGED, GIVEWAY, "run", "--", program]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    done = run("true")
    assert (done.returncode, done.stderr) == (0, "")
    done = run("no-such-program")
    assert (done.returncode, one_line(done.stderr)) == (
        127, "giveway: no-such-program: not found on PATH",
    )  # fmt: skip
    done = run(f"{folder}/program")
    assert (done.returncode, one_line(done.stderr)) == (
        126, f"giveway: {folder}/program: cannot be executed: Permission denied",
    )  # fmt: skip


def test_an_error_is_one_line_whatever_the_program_is_called(giveway: Runner) -> None:
    done = giveway("run", "--", "no\nsuch\nprogram")
    assert done.returncode == 127
    assert "no such program" in one_line(done.stderr)


def test_a_program_without_execute_permission_is_126(giveway: Runner, tmp_path: Path) -> None:
    script = tmp_path / "train.sh"
    script.write_text("#!/bin/sh\n")
    done = giveway("run", "--", str(script))
    assert done.returncode == 126
    assert f"chmod +x {script}" in one_line(done.stderr)


def test_a_folder_is_126(giveway: Runner, tmp_path: Path) -> None:
    done = giveway("run", "--", str(tmp_path))
    assert done.returncode == 126
    assert "is a directory" in one_line(done.stderr)


def test_a_missing_interpreter_is_126_and_named(giveway: Runner, tmp_path: Path) -> None:
    script = executable(tmp_path / "train", b"#!/no/such/python\n")
    for env in ({}, {"PATH": str(tmp_path)}):
        done = giveway("run", "--", "train" if env else script, env=env)
        assert done.returncode == 126
        assert "/no/such/python" in one_line(done.stderr)


def test_a_binary_of_another_kind_is_126(giveway: Runner, tmp_path: Path) -> None:
    done = giveway("run", "--", executable(tmp_path / "train", b"\x7fELF\0\0\0garbage"))
    assert done.returncode == 126
    assert "Exec format error" in one_line(done.stderr)


def test_a_script_without_interpreter_line_runs_as_in_a_shell(
    giveway: Runner, tmp_path: Path
) -> None:
    script = executable(tmp_path / "train", b'echo "$1"; exit 7\n')
    done = giveway("run", "--", script, "two words")
    assert (done.returncode, done.stdout, done.stderr) == (7, "two words\n", "")


def test_the_programs_own_options_stay_its_own(giveway: Runner) -> None:
    for separator in (["--"], []):
        done = giveway("run", *separator, "echo", "--priority", "9999", "--help", "--", "-n")
        assert done.stdout == "--priority 9999 --help -- -n\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_reaches_the_program(spawn: Spawner, number: signal.Signals) -> None:
    code = (
        "import signal, sys\n"
        f"signal.signal({number.value}, lambda *_: sys.exit(40))\n"
        "print('ready', flush=True)\n"
        "signal.pause()"
    )
    process = spawn(GIVEWAY, "run", "--", sys.executable, "-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(timeout=60) == 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_death_by_signal_is_seen_as_such(spawn: Spawner, number: signal.Signals) -> None:
    def not_ignored() -> None:  # as it is for tests under nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    command = ("sh", "-c", "echo ready; exec sleep 60")
    process = spawn(GIVEWAY, "run", "--", *command, preexec_fn=not_ignored)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(timeout=60) == -number


def test_no_signal_is_ignored_that_was_not_before(giveway: Runner) -> None:
    show = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]
    through = giveway("run", "--", *show).stdout.split()
    ignored = int(through[through.index("SigIgn:") + 1], 16)
    blocked = int(through[through.index("SigBlk:") + 1], 16)
    assert (ignored & 1 << (signal.SIGPIPE - 1), ignored & 1 << (signal.SIGXFSZ - 1)) == (0, 0)
    assert blocked == 0


def test_stdin_passes_through(giveway: Runner) -> None:
    text = "line\n" * 100_000
    assert giveway("run", "--", "cat", input=text).stdout == text


def test_the_terminal_passes_through(spawn: Spawner) -> None:
    master, slave = os.openpty()
    code = "import os; print([os.isatty(fd) for fd in (0, 1, 2)], os.get_terminal_size().columns)"
    os.system(f"stty cols 123 <{os.ttyname(slave)}")
    process = spawn(
        GIVEWAY, "run", "--", sys.executable, "-c", code, stdin=slave, stdout=slave, stderr=slave
    )
    assert process.wait(timeout=60) == 0
    assert os.read(master, 1000).decode().strip() == "[True, True, True] 123"
    os.close(master)
    os.close(slave)


def test_open_descriptors_pass_through(giveway: Runner) -> None:
    reader, writer = os.pipe()
    done = giveway(
        *("run", "--", sys.executable, "-c", f"import os; os.write({writer}, b'through')"),
        pass_fds=[writer],
    )
    assert done.returncode == 0
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    os.close(writer)


def shown(giveway: Runner, *options: str, env: dict[str, str] | None = None) -> dict[str, str]:
    done = giveway("run", *options, "--", sys.executable, "-c", SHOW_ENVIRONMENT, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    result: dict[str, str] = json.loads(done.stdout)
    return result


def test_the_environment_passes_through(giveway: Runner) -> None:
    expected = {
        **os.environ,
        "MINE": "é\nx=y",
        "LD_PRELOAD": PRELOADED,
        "GOMP_SPINCOUNT": "30011",
        "KMP_BLOCKTIME": "1",
        "GIVEWAY_DEVICE": "cpu",
        "GIVEWAY_PRIORITY": "0",
    }
    env = shown(giveway, env={"MINE": "é\nx=y"})
    assert env.pop("GIVEWAY_RUN") == str(env.pop("pid"))
    assert env.pop("GIVEWAY_NAME").startswith("python")
    # Python itself sets this one where there is no locale.
    assert {**env, "LC_CTYPE": ""} == {**expected, "LC_CTYPE": ""}


def test_the_options_reach_the_program(giveway: Runner) -> None:
    env = shown(giveway, "-p", "-7", "--name", "nightly run", "--device", "cpu")
    assert (env["GIVEWAY_PRIORITY"], env["GIVEWAY_NAME"]) == ("-7", "nightly run")


def test_the_users_own_preload_is_kept(giveway: Runner, spawn: Spawner) -> None:
    own = str(get("cpu").hook.with_name("libgiveway.so"))
    env = shown(giveway, env={"LD_PRELOAD": own})
    assert env["LD_PRELOAD"] == f"{PRELOADED}:{own}"


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_the_users_own_spinning_is_kept(giveway: Runner, name: str) -> None:
    env = shown(giveway, env={name: "0", "OMP_NUM_THREADS": "1"})
    assert env["OMP_NUM_THREADS"] == "1"
    decided = {
        key: env[key]
        for key in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
        if key in env
    }
    assert decided == {name: "0"}


def test_run_inside_run_is_a_program_of_its_own(giveway: Runner) -> None:
    env = shown(giveway, "-p", "5", "--name", "outer", "--", GIVEWAY, "run", "--name", "inner")
    assert (env["GIVEWAY_PRIORITY"], env["GIVEWAY_NAME"]) == ("0", "inner")
    assert env["LD_PRELOAD"] == PRELOADED


def test_a_fall_back_to_the_cpu_is_said_where_there_might_be_a_gpu(
    giveway: Runner, tmp_path: Path
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nsleep 1000\n")  # one that hangs would be killed after 60 s here
    tool.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    if devices.default() != "cpu":
        pytest.skip("this machine has a GPU")
    done = giveway("run", "--", "true", env=env)
    assert done.returncode == 0
    assert one_line(done.stderr) == (
        "giveway: no GPU was found, although nvidia-smi is installed: the program shares the cpu"
        " device"
    )
    done = giveway("run", "--device", "cpu", "--", "true", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    done = giveway("run", "--slowdown", "-5%", "--", "true", env=env)
    assert done.returncode == 2
    assert one_line(done.stderr).startswith("giveway: slowdown cannot be '-5%'")


def test_the_program_is_the_process_that_was_started(spawn: Spawner) -> None:
    process = spawn(GIVEWAY, "run", "--", "sh", "-c", "echo $$ $GIVEWAY_RUN")
    assert process.stdout is not None
    assert process.stdout.read().split() == [str(process.pid)] * 2


def test_no_page_is_made_for_a_program_without_launches(giveway: Runner, giveway_dir: Path) -> None:
    giveway("run", "--", "true")
    assert not giveway_dir.exists() or not list(giveway_dir.iterdir())


def test_a_page_is_for_its_owner_only(regions: object, giveway_dir: Path) -> None:
    assert callable(regions)
    regions()
    assert stat.S_IMODE(giveway_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((giveway_dir / "cpu.page").stat().st_mode) == 0o600
