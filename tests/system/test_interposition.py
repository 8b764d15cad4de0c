"""Drivers that cannot be impersonated: programs run all the same, and are gated all the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from giveway import devices, launch
from giveway.devices import drivers as driver
from giveway.devices import hip
from giveway.devices.drivers import CUDA, HIP
from giveway.devices.preload import EXEC as EXEC_NAME
from giveway.doctor.examine import examine
from giveway.page.library import library_path
from tests.conftest import GIVEWAY, Runner, Spawner
from tests.system.fake_gpu import NATIVE, UUID, install
from tests.system.watching import goes_on, tasks
from tests.waiting import eventually

CC = ["cc", "-std=c11", "-O1", "-D_GNU_SOURCE", "-pthread"]
SHARED = ["-fPIC", "-shared"]
EXEC = library_path().with_name(EXEC_NAME)
EXTRA = '__attribute__((visibility("default"))) int hipFancyNew(void) { return 42; }\n'

# What giveway makes of each build of the driver in tests/system/CMakeLists.txt.
REFUSED = driver.glibc_version() >= driver.EXECUTABLE_STACKS_REFUSED_SINCE
DRIVERS = {
    "known": "impersonation",
    "newer": "interposition",
    "execstack": "interposition" if REFUSED else "impersonation",
}


@pytest.fixture(scope="module")
def drivers(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each driver, with programs and an nvidia-smi that describes the GPU."""
    assert built.exists()
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in DRIVERS}
    for kind, folder in folders.items():
        install(folder, kind)
    return folders


@pytest.fixture
def machine(
    request: pytest.FixtureRequest,
    drivers: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The environment in which such a driver is installed."""
    if Path("/proc/driver/nvidia/gpus").exists():
        pytest.skip("this machine has a GPU of its own, which giveway would find first")
    folder = drivers[getattr(request, "param", "newer")]
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    monkeypatch.setenv("GIVEWAY_CUDA_LIBRARY", str(folder / "libcuda.so.1"))
    monkeypatch.setenv("GIVEWAY_FAKE_DIR", str(tmp_path))
    return folder


@pytest.mark.parametrize("machine", DRIVERS, indirect=True)
def test_the_less_urgent_program_is_held(giveway: Runner, spawn: Spawner, machine: Path) -> None:
    def start(name: str, priority: str) -> subprocess.Popen[str]:
        run = (GIVEWAY, "run", "--name", name, "--priority", priority)
        return spawn(*run, "--", str(machine / "burst"), "other", "60", "200", "50")

    low = start("low", "0").pid
    assert eventually(lambda: tasks()["low"].state == "active")
    high = start("high", "10")
    assert eventually(lambda: tasks()["low"].held_seconds > 0.3)
    high.kill()
    high.wait()
    assert goes_on(low, 1000, UUID)


@pytest.mark.parametrize("machine", ["execstack"], indirect=True)
def test_an_executable_stack_is_interposed_where_glibc_refuses_it(
    monkeypatch: pytest.MonkeyPatch, machine: Path
) -> None:
    monkeypatch.setattr(driver, "glibc_version", lambda: driver.EXECUTABLE_STACKS_REFUSED_SINCE)
    device = devices.get("cuda")
    assert device.notice is not None
    assert "executable stack" in device.notice
    env = launch.environment(os.environ, "cuda", 0, "burst")
    assert env["LD_PRELOAD"] == f"{CUDA.hooks('1')}:{EXEC}"
    burst = [machine / "burst", "urgent", "0.1", "200", "2"]
    done = subprocess.run(burst, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (machine / "traces").mkdir()
    env["GIVEWAY_TRACE"] = str(machine / "traces")
    subprocess.run(burst, env=env, capture_output=True, check=True)
    (report,) = (machine / "traces").glob("*.json")
    assert json.loads(report.read_text())["tasks"][0]["launches"] > 0


def test_run_says_in_one_line_that_it_interposes(giveway: Runner, machine: Path) -> None:
    done = giveway("run", "--", "sh", "-c", "echo $LD_PRELOAD")
    assert done.returncode == 0
    assert done.stdout.strip() == f"{CUDA.hooks('1')}:{EXEC}"
    (line,) = done.stderr.splitlines()
    library = machine / "libcuda.so.1"
    assert line.startswith(
        f"giveway: {library} exports what giveway does not know: cuFancyNew; interposing, not"
    )


@pytest.mark.parametrize("machine", ["known"], indirect=True)
def test_run_says_nothing_where_it_impersonates(giveway: Runner, machine: Path) -> None:
    done = giveway("run", "--", "sh", "-c", "echo $LD_PRELOAD")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == f"{CUDA.shim('1')}:{EXEC}"


def test_one_way_of_gating_replaces_the_other(giveway: Runner, machine: Path) -> None:
    before = f"/lib/a.so:{CUDA.shim('1')}"
    code = f"import os; os.environ['LD_PRELOAD'] = {before!r};" + (
        "from giveway import devices; print(devices.get('cuda').environment(os.environ))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"'LD_PRELOAD': '{CUDA.hooks('1')}:{EXEC}:/lib/a.so'" in done.stdout


@pytest.fixture(scope="module")
def lookups_program(drivers: dict[str, Path]) -> list[str]:
    """The program that looks the driver's functions up, linked to a driver with a new one."""
    folder = drivers["newer"]
    source = Path(__file__).with_name("lookups.c")
    driver = folder / "libcuda.so.1"
    nexts = []
    for n in ("first", "second"):
        library = folder / f"lib{n}.so"
        nexts.append(str(library))
        subprocess.run([*CC, *SHARED, f'-DNEXT="{n}"', source, "-o", library], check=True)
    deep = folder / "libdeep.so"
    subprocess.run([*CC, *SHARED, "-DDEEPBOUND", source, driver, "-o", deep], check=True)
    program = folder / "lookups"
    now = ["-Wl,-z,now", "-Wl,--no-as-needed"]
    subprocess.run([*CC, *now, "-DNEW", source, *nexts, driver, "-o", program], check=True)
    return [str(program), str(driver), str(deep)]


@pytest.fixture
def lookups(machine: Path, lookups_program: list[str]) -> list[str]:
    assert machine.exists()
    return lookups_program


def said(output: str) -> dict[str, str]:
    return dict(line.split(": ") for line in output.splitlines())


HOOKS, DRIVER = "libgiveway-cuda-hooks.so", "libcuda.so.1"


def test_every_way_to_a_function_leads_to_the_hook_but_those_that_doctor_names(
    giveway: Runner, lookups: list[str]
) -> None:
    done = giveway("run", "--", *lookups)
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1)
    assert said(done.stdout) == {
        "linked": HOOKS,
        "default": HOOKS,
        "opened": HOOKS,
        "program": HOOKS,
        "by path": HOOKS,
        "asked": HOOKS,
        "not hooked": DRIVER,
        "new": DRIVER,
        "newest": "42",
        "missing": "said",
        "next": "second",  # dlsym still knows who called it
        "other namespace": DRIVER,  # escapes
        "deepbound": DRIVER,  # escapes: what it is linked to ...
        "looked up by it": DRIVER,  # ... and what it looks up, by the loader's own dlsym
    }
    report = json.loads(giveway("doctor", "--json").stdout)
    (device,) = (device for device in report["devices"] if device["name"] == "cuda")
    assert any("RTLD_DEEPBIND or by dlmopen" in escape for escape in device["escapes"])


def test_impersonation_would_have_broken_that_program(lookups: list[str]) -> None:
    done = subprocess.run(
        lookups,
        env={**os.environ, "LD_PRELOAD": str(CUDA.shim("1"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 127
    assert "undefined symbol: cuFancyNew" in done.stderr


CLIENT = """
import ctypes, giveway
cuda = ctypes.CDLL("libcuda.so.1")
context, module, function = (ctypes.c_void_p() for _ in range(3))
assert cuda.cuInit(0) == cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
assert cuda.cuCtxSetCurrent(context) == 0
assert cuda.cuModuleLoadData(ctypes.byref(module), b"") == 0
assert cuda.cuModuleGetFunction(ctypes.byref(function), module, b"ns_1000") == 0
launch = ctypes.c_void_p()
assert cuda.cuGetProcAddress_v2(b"cuLaunchKernel", ctypes.byref(launch), 12000, 0, None) == 0
by_address = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 11)(launch.value)
nothing = ctypes.c_void_p()
for call in (cuda.cuLaunchKernel, by_address):
    assert call(function, *[1] * 6, 0, nothing, nothing, nothing) == 0
print(giveway.current().launches)
"""


def test_a_program_that_opens_the_driver_is_gated(giveway: Runner, machine: Path) -> None:
    done = giveway("run", "--", sys.executable, "-c", CLIENT)
    assert (done.returncode, done.stdout) == (0, "2\n")


def test_the_driver_that_the_user_names_is_the_one_that_is_used(
    giveway: Runner, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH")
    driver = str(machine / "libcuda.so.1")
    code = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuFancyNew())"
    done = giveway("run", "--", sys.executable, "-c", code, env={"GIVEWAY_CUDA_LIBRARY": driver})
    assert (done.returncode, done.stdout) == (0, "42\n")


def test_doctor_names_what_escapes(giveway: Runner, machine: Path) -> None:
    done = giveway("doctor", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["problems"]) == (0, [])
    (device,) = (device for device in report["devices"] if device["name"] == "cuda")
    assert device["mode"] == "interposition"
    assert device["why"] == ["exports what giveway does not know: cuFancyNew"]
    assert device["hook"] == str(CUDA.hooks("1"))
    assert device["driver"] == f"{machine / 'libcuda.so.1'} (CUDA 13.0)"
    text = giveway("doctor").stdout
    assert re.search(r"mode +interposition", text)
    for phrase in (*device["why"], *device["escapes"]):
        assert phrase in text


@pytest.mark.parametrize("kind", DRIVERS)
def test_doctor_judges_a_library(giveway: Runner, drivers: dict[str, Path], kind: str) -> None:
    path = str(drivers[kind] / "libcuda.so.1")
    done = giveway("doctor", "--library", path)
    mode = DRIVERS[kind]
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"{path}: {mode}")
    done = giveway("doctor", "--json", "--library", path)
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["mode"]) == (0, True, mode)
    assert (document["schema"], document["api"], document["library"]) == (1, "CUDA", path)
    assert bool(document["why"]) == (mode == "interposition")


def test_doctor_judges_what_is_no_driver(giveway: Runner, tmp_path: Path) -> None:
    for path, why in [
        (
            Path("/lib/x86_64-linux-gnu/libm.so.6"),
            "is not a driver library: its SONAME is libm.so.6",
        ),
        (CUDA.shim("1"), "is giveway's own"),
        (Path(__file__), "is not a shared library"),
    ]:
        done = giveway("doctor", "--library", str(path))
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.splitlines() == [f"{path}: not gated", f"  because it   {why}"]
        document = json.loads(giveway("doctor", "--json", "--library", str(path)).stdout)
        assert (document["ok"], document["mode"], document["why"]) == (False, None, [why])
    for path in (tmp_path / "none", tmp_path):
        done = giveway("doctor", "--library", str(path))
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"giveway: cannot read {path}: ")


HIP_CLIENT = """
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int hipLaunchKernel(void), hipInit(unsigned flags), hipFancyNew(void);
int main(void) {
  void *hip = dlopen("libamdhip64.so.7", RTLD_NOW);
  void *found[] = {(void *)hipLaunchKernel, dlsym(hip, "hipLaunchKernel"),
                   dlvsym(hip, "hipLaunchKernel", "hip_4.2"), (void *)hipInit};
  for (int i = 0; i < 4; i++) {
    Dl_info info;
    puts(dladdr(found[i], &info) != 0 ? strrchr(info.dli_fname, '/') + 1 : "nothing");
  }
  printf("%d\\n", hipFancyNew());
  return 0;
}
"""


@pytest.fixture(scope="module")
def built_runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HIP runtime of the seventh generation with the real one's nodes and one more."""
    folder = tmp_path_factory.mktemp("hip")
    nodes: dict[str, list[str]] = {"hip_9.9": ["hipFancyNew"]}
    for line in (NATIVE / "gpu" / "hip" / "symbols.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, node, *_ = line.split()
            nodes.setdefault(node, []).append(name)
    script = [f"{node} {{ global: {'; '.join(names)}; }};" for node, names in nodes.items()]
    script[0] = script[0].replace(" };", " local: *; };")
    (folder / "exports.map").write_text("\n".join(script))
    (folder / "extra.c").write_text(EXTRA)
    library = folder / "libamdhip64.so.7"
    parts = (NATIVE / "fake" / part for part in ("engine", "cuda", "hip"))
    sources = [path for part in parts for path in sorted(part.glob("*.c"))]
    options = ["-DGENERATION=7", "-Wl,-soname,libamdhip64.so.7"]
    options.append(f"-Wl,--version-script,{folder / 'exports.map'}")
    command = [*CC, *SHARED, *options, *sources, folder / "extra.c", "-o", library]
    subprocess.run(command, check=True)
    return library


@pytest.fixture
def runtime(built_runtime: Path, tmp_path: Path) -> Path:
    """That runtime in the folder of the test."""
    return Path(shutil.copy(built_runtime, tmp_path))


@pytest.fixture
def amd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An AMD GPU, to this process, with a runtime in the folder of the test."""
    (tmp_path / "nodes" / "1").mkdir(parents=True)
    (tmp_path / "nodes" / "1" / "name").write_text("gfx90a\n")
    (tmp_path / "nodes" / "1" / "properties").write_text("simd_count 416\nunique_id 250\n")
    monkeypatch.setattr(hip, "_DEVICE", tmp_path)
    monkeypatch.setattr(hip, "_NODES", tmp_path / "nodes")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))


@pytest.mark.usefixtures("amd")
def test_a_generation_that_is_not_known_is_let_alone(tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text("int hipInit(unsigned f) { return (int)f; }\n")
    library = tmp_path / "libamdhip64.so.8"
    soname = "-Wl,-soname,libamdhip64.so.8"
    subprocess.run([*CC, *SHARED, soname, tmp_path / "x.c", "-o", library], check=True)
    assert "LD_PRELOAD" not in launch.environment(os.environ, "hip", 0, "x")
    assert devices.get("hip").notice == (
        f"{library} is of a generation that giveway does not know: libamdhip64.so.8;"
        " nothing is gated"
    )
    report = examine()
    (problem,) = report.problems
    assert problem.what == devices.get("hip").notice.removesuffix("; nothing is gated")
    assert problem.do.startswith("name another one: GIVEWAY_HIP_LIBRARY=")


@pytest.mark.usefixtures("amd")
def test_doctor_describes_an_amd_gpu(runtime: Path) -> None:
    report = examine()
    assert report.problems == []
    (device,) = (device for device in report.devices if device.name == "hip")
    assert device.description == "1 × gfx90a"
    assert (device.driver, device.mode) == (str(runtime), "interposition")
    assert device.hook == str(HIP.hooks("7"))
    assert "HIP" not in [known["api"] for known in report.drivers]


def test_doctor_says_that_a_runtime_has_no_gpu(giveway: Runner, runtime: Path) -> None:
    done = giveway("doctor", env={"LD_LIBRARY_PATH": str(runtime.parent)})
    assert done.returncode == 0
    assert f"HIP: {runtime} found, but no AMD GPU" in done.stdout.splitlines()


@pytest.mark.usefixtures("amd")
def test_hip_is_interposed_under_its_version_nodes(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "client.c").write_text(HIP_CLIENT)
    program = tmp_path / "client"
    subprocess.run([*CC, tmp_path / "client.c", runtime, "-o", program], check=True)

    env = launch.environment(os.environ, "hip", 0, "client")
    assert env["LD_PRELOAD"] == f"{HIP.hooks('7')}:{EXEC}"
    done = subprocess.run([program], env=env, capture_output=True, text=True, check=False)
    hooks = HIP.hooks("7").name
    assert done.stdout.split() == [hooks, hooks, runtime.name, runtime.name, "42"]
    assert done.stderr == ""

    # What impersonation would have done.
    env["LD_PRELOAD"] = str(HIP.shim("7"))
    done = subprocess.run([program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "version `hip_9.9' not found" in done.stderr
