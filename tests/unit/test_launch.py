"""Names and environments that `giveway run` gives to programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from giveway import devices, launch
from giveway.devices import Device, preload
from giveway.errors import GivewayError, UsageError


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python train.py", "train.py"),
        ("python3.12 /home/me/train.py --lr 1", "train.py"),
        ("/usr/bin/python -u train.py", "train.py"),
        ("python -m pkg.mod --x", "pkg.mod"),
        ("python -um pkg.mod", "pkg.mod"),
        ("python -mpkg.mod", "pkg.mod"),
        ("python -X importtime -W error train.py", "train.py"),
        ("python -Werror train.py", "train.py"),
        ("python --check-hash-based-pycs never train.py", "train.py"),
        ("python -OO -m train", "train"),
        ("python folder/", "folder"),
        ("python -c pass train.py", "python"),
        ("python -Ic pass", "python"),
        ("python -m", "python"),
        ("python", "python"),
        ("python -", "python"),
        ("torchrun --nproc-per-node 2 train.py", "torchrun"),
        ("/opt/bin/serve --port 1", "serve"),
        ("./a.out", "a.out"),
    ],
)
def test_a_program_is_called_what_a_person_calls_it(command: str, name: str) -> None:
    assert launch.derive_name(command.split()) == name


def test_a_derived_name_always_fits() -> None:
    for program in ("x" * 300, "ü" * 40, "a\nb", "\udcff", ""):
        name = launch.derive_name([program])
        assert 1 <= len(name.encode()) <= launch.NAME_BYTES
        assert name.isprintable()


def test_the_environment_says_who_the_task_is() -> None:
    base = {"HOME": "/home/me", "GIVEWAY_RUN": "1", "GIVEWAY_PRIORITY": "7"}
    base["GIVEWAY_ATTRIBUTES"] = "share=30.0"
    env = launch.environment(base, "cpu", -3, "train.py")
    assert (
        env.items()
        >= {
            "HOME": "/home/me",
            "GIVEWAY_DEVICE": "cpu",
            "GIVEWAY_PRIORITY": "-3",
            "GIVEWAY_NAME": "train.py",
        }.items()
    )
    assert "GIVEWAY_RUN" not in env
    assert "GIVEWAY_ATTRIBUTES" not in env
    assert base["GIVEWAY_PRIORITY"] == "7"


@pytest.mark.parametrize("priority", [-1001, 1001, 10**9])
def test_a_priority_out_of_range_is_refused(priority: int) -> None:
    with pytest.raises(UsageError, match=str(priority)):
        launch.environment({}, "cpu", priority, "x")


def test_attributes_that_do_not_fit_are_refused_and_not_dropped() -> None:
    settings = ["share=30", "deadline=20ms", f"group={'好' * 64}"]
    env = launch.environment({}, "cpu", 0, "x", settings)
    assert len(env["GIVEWAY_ATTRIBUTES"].encode()) == 221
    with pytest.raises(UsageError, match="285 bytes, and 247 fit: shorten group"):
        launch.environment({}, "cpu", 0, "x", [*settings[:2], f"group={'🙂' * 64}"])


@pytest.mark.parametrize("name", ["", "a\0b", "two\nlines", "x" * 48, "ü" * 24])
def test_an_unusable_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        launch.environment({}, "cpu", 0, name)


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'gpu9'.*cpu"):
        launch.environment({}, "gpu9", 0, "x")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "{ours}"),
        ("/lib/a.so", "{ours}:/lib/a.so"),
        ("/lib/a.so /lib/b.so", "{ours}:/lib/a.so:/lib/b.so"),
        ("/lib/a.so:{hook}", "{ours}:/lib/a.so"),
        ("/old/lib/libgiveway-cpu.so:/old/lib/libgiveway-exec.so /lib/a.so", "{ours}:/lib/a.so"),
        (
            "/lib/a.so /usr/lib/libasan.so.8 /lib/b.so",
            "/lib/a.so:/usr/lib/libasan.so.8:{ours}:/lib/b.so",
        ),
        ("libclang_rt.asan-x86_64.so:{hook}", "libclang_rt.asan-x86_64.so:{ours}"),
    ],
)
def test_giveways_libraries_go_before_the_users_own(before: str, after: str) -> None:
    device = devices.get("cpu")
    ours = f"{device.hook}:{device.hook.with_name(preload.EXEC)}"
    env = device.environment({"LD_PRELOAD": before.format(hook=device.hook)})
    assert env["LD_PRELOAD"] == after.format(hook=device.hook, ours=ours)


def test_only_giveways_libraries_are_taken_out_again() -> None:
    hook = devices.get("cpu").hook
    env = {"LD_PRELOAD": "/lib/libasan.so.8:/lib/a.so"}
    assert preload.remove(devices.get("cpu").environment(env)["LD_PRELOAD"]) == env["LD_PRELOAD"]
    assert preload.remove(f"{hook}:/lib/a.so") == f"{hook}:/lib/a.so"  # as a user may preload it


def test_workers_do_not_spin_for_long_unless_the_user_has_decided() -> None:
    device = devices.get("cpu")
    env = device.environment({})
    assert (env["GOMP_SPINCOUNT"], env["KMP_BLOCKTIME"]) == ("30011", "1")
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        env = device.environment({name: "mine"})
        env.pop("LD_PRELOAD")
        assert env == {name: "mine"}


def device_with_hook(hook: Path) -> Device:
    return Device(name="x", hook=hook, capabilities={})


@pytest.mark.parametrize("folder", ["my lab", "a:b"])
def test_a_hook_that_cannot_be_preloaded_is_said(tmp_path: Path, folder: str) -> None:
    hook = tmp_path / folder / "hook.so"
    hook.parent.mkdir()
    hook.touch()
    with pytest.raises(GivewayError, match="space or a colon"):
        device_with_hook(hook).environment({})


def test_a_missing_hook_is_said(tmp_path: Path) -> None:
    with pytest.raises(GivewayError, match="missing"):
        device_with_hook(tmp_path / "hook.so").environment({})


def test_a_relative_page_folder_is_that_of_the_caller() -> None:
    env = launch.environment({"GIVEWAY_DIR": "pages"}, "cpu", 0, "x")
    assert env["GIVEWAY_DIR"] == str(Path.cwd() / "pages")
