"""Whether a driver library can be impersonated."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from giveway import driver
from giveway.driver import CUDA, HIP, Verdict
from giveway.page import library_path

Builder = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path) -> Builder:
    """Makes a library of some SONAME out of some C."""

    def make(soname: str, code: str, *options: str, nodes: str = "") -> Path:
        source, script, library = tmp_path / "x.c", tmp_path / "x.map", tmp_path / "lib" / soname
        library.parent.mkdir(exist_ok=True)
        source.write_text(code)
        if nodes:
            script.write_text(nodes)
            options += (f"-Wl,--version-script,{script}",)
        shared = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{soname}"]
        subprocess.run([*shared, *options, source, "-o", library], check=True)
        return library

    return make


def judge(library: Path) -> Verdict:
    return driver.judge(library, {})


KNOWN = "int cuInit(unsigned f) { return (int)f; }\nint cudbgIpcFlag;\n"
NODES = "hip_4.2 { global: hipMalloc; hipMemcpy; }; hip_5.2 { global: hipMemcpy_spt; };\n"
KNOWN_HIP = "int hipMalloc(void) { return 0; }\nint hipMemcpy_spt(void) { return 0; }\n"


def test_a_library_with_nothing_but_what_is_known_is_impersonated(build: Builder) -> None:
    verdict = judge(build("libcuda.so.1", KNOWN))
    assert (verdict.api, verdict.mode, verdict.why) == ("CUDA", "impersonation", ())
    assert verdict.hook == CUDA.shim("1")
    assert verdict.hook.is_file()
    verdict = judge(build("libamdhip64.so.6", KNOWN_HIP, nodes=NODES))
    assert (verdict.api, verdict.mode, verdict.why) == ("HIP", "impersonation", ())
    assert verdict.hook == HIP.shim("6")


@pytest.mark.parametrize(
    ("soname", "code", "nodes", "why"),
    [
        (
            "libcuda.so.1",
            KNOWN + "int cuFancyNew(void) { return 0; }",
            "",
            "exports what giveway does not know: cuFancyNew",
        ),
        (
            "libcuda.so.1",
            "int cuA, cuB, cuC, cuD, cuE;",
            "",
            "exports what giveway does not know: cuA, cuB, cuC and 2 more",
        ),
        (
            "libcuda.so.1",
            "long cudbgIpcFlag[3];",
            "",
            "has 24 bytes of cudbgIpcFlag, giveway 4",
        ),
        (
            "libcuda.so.1",
            "int cuInit;",
            "",
            "has cuInit as data, giveway as function",
        ),
        (
            "libcuda.so",
            KNOWN,
            "",
            "is called libcuda.so, not libcuda.so.1",
        ),
        (
            "libamdhip64.so.7",
            KNOWN_HIP + "int hipNew(void) { return 0; }",
            NODES + "hip_9.9 { global: hipNew; };",
            "has version nodes that giveway does not know: hip_9.9",
        ),
        (
            "libamdhip64.so.7",
            KNOWN_HIP + "int hipNew(void) { return 0; }",
            NODES.replace("hipMalloc;", "hipMalloc; hipNew;"),
            "exports what giveway does not know: hipNew@hip_4.2",
        ),
    ],
)
def test_a_library_with_more_is_interposed(
    build: Builder, soname: str, code: str, nodes: str, why: str
) -> None:
    verdict = judge(build(soname, code, nodes=nodes))
    assert (verdict.mode, verdict.why[0]) == ("interposition", why)
    assert verdict.hook in (CUDA.hooks("1"), HIP.hooks("7"))
    assert verdict.hook.is_file()
    assert any("dlvsym" in escape for escape in verdict.escapes)


def test_a_hooked_call_in_an_unknown_node_is_said_to_escape(build: Builder) -> None:
    code = KNOWN_HIP + "int hipLaunchKernel(void) { return 0; }"
    library = build("libamdhip64.so.7", code, nodes=NODES + "hip_9.9 { hipLaunchKernel; };")
    assert judge(library).escapes[-1].endswith(": hipLaunchKernel@hip_9.9")


def test_a_newer_version_of_a_hooked_call_is_said_to_escape(build: Builder) -> None:
    code = "".join(
        f"int {name}(void) {{ return 0; }}"
        for name in ("cuInit", "cuGetProcAddress_v9", "cuLaunchKernel_v2_ptsz", "cuFancyNew")
    )
    assert judge(build("libcuda.so.1", code)).escapes[-1] == (
        "newer calls that no hook stands for: cuGetProcAddress_v9, cuLaunchKernel_v2_ptsz"
    )


def test_a_runtime_whose_soname_lost_its_number_goes_by_its_nodes(build: Builder) -> None:
    nodes = NODES + "hip_6.0 { global: hipChooseDeviceR0600; };"
    code = KNOWN_HIP + "int hipChooseDeviceR0600(void) { return 0; }"
    verdict = judge(build("libamdhip64.so", code, nodes=nodes))
    assert verdict.hook == HIP.hooks("6")
    assert verdict.why == ("is called libamdhip64.so, not libamdhip64.so.6",)


@pytest.mark.parametrize(
    ("glibc", "tunables", "mode"),
    [
        ((2, 36), "", "impersonation"),
        ((2, 41), "", "interposition"),
        ((2, 41), "glibc.rtld.execstack=2", "impersonation"),
        ((2, 41), "glibc.malloc.check=1:glibc.rtld.execstack=2", "impersonation"),
        ((2, 41), "glibc.rtld.execstack=1", "interposition"),
    ],
)
def test_an_executable_stack_counts_where_glibc_refuses_it(
    build: Builder,
    monkeypatch: pytest.MonkeyPatch,
    glibc: tuple[int, ...],
    tunables: str,
    mode: str,
) -> None:
    library = build("libcuda.so.1", KNOWN, "-Wl,-z,execstack")
    monkeypatch.setattr(driver, "glibc_version", lambda: glibc)
    assert driver.judge(library, {"GLIBC_TUNABLES": tunables}).mode == mode


def test_this_systems_glibc_is_known() -> None:
    assert driver.glibc_version() >= (2, 17)


def test_what_every_library_used_to_export_does_not_count(build: Builder) -> None:
    assert judge(build("libcuda.so.1", KNOWN + "int _edata, __bss_start;")).mode == "impersonation"


def test_what_cannot_be_gated_is_said(build: Builder, tmp_path: Path) -> None:
    text = tmp_path / "libcuda.so.1"
    text.write_text("no library\n")
    copy = tmp_path / "copy.so"
    shutil.copy(CUDA.shim("1"), copy)
    for library, why in [
        (text, "is not a shared library"),
        (copy, "is giveway's own"),
        (HIP.hooks("5"), "is giveway's own"),
        (library_path(), "is not a driver library: its SONAME is libgiveway.so"),
        (Path("/bin/ls"), "is not a driver library: it has no SONAME"),
        (build("libcudart.so.12", KNOWN), "is not a driver library: its SONAME is libcudart.so.12"),
        (
            build("libamdhip64.so.8", KNOWN_HIP),
            "is of a generation that giveway does not know: libamdhip64.so.8",
        ),
    ]:
        verdict = judge(library)
        assert (verdict.mode, verdict.hook, verdict.why) == (None, None, (why,))
        assert verdict.api == ("HIP" if library.name == "libamdhip64.so.8" else None)
    with pytest.raises(FileNotFoundError):
        judge(tmp_path / "none")
