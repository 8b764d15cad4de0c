"""The Python mirror of the C interface against the installed header, as a C compiler reads it."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import giveway
from giveway import page
from giveway.page import decider
from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN

INCLUDE = Path(giveway.__file__).parent / "include"


def compiled(tmp_path: Path, body: str) -> list[str]:
    source = tmp_path / "print.c"
    source.write_text(
        '#include <stdio.h>\n#include "gate_page.h"\n#include "giveway.h"\n'
        f"int main(void) {{\n{body}\nreturn 0;\n}}\n"
    )
    program = tmp_path / "print"
    subprocess.run(
        ["cc", "-std=c11", "-D_GNU_SOURCE", "-Werror", f"-I{INCLUDE}", source, "-o", program],
        check=True,
    )
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()


def test_task_info_has_the_layout_of_the_header(tmp_path: Path) -> None:
    fields = [name for name, _ in page.TaskInfo._fields_]
    body = 'printf("%zu\\n", sizeof(struct gw_task_info));\n' + "\n".join(
        f'printf("%zu %zu\\n", offsetof(struct gw_task_info, {name}), '
        f"sizeof(((struct gw_task_info *)0)->{name}));"
        for name in fields
    )
    expected = [ctypes.sizeof(page.TaskInfo)]
    for name in fields:
        field = getattr(page.TaskInfo, name)
        expected += [field.offset, field.size]
    assert [int(word) for word in compiled(tmp_path, body)] == expected


def test_changes_have_the_layout_of_the_header(tmp_path: Path) -> None:
    fields = [name for name, _ in decider.ChangeStruct._fields_]
    body = 'printf("%zu\\n", sizeof(struct gw_change));\n' + "\n".join(
        f'printf("%zu %zu\\n", offsetof(struct gw_change, {name}), '
        f"sizeof(((struct gw_change *)0)->{name}));"
        for name in fields
    )
    expected = [ctypes.sizeof(decider.ChangeStruct)]
    for name in fields:
        field = getattr(decider.ChangeStruct, name)
        expected += [field.offset, field.size]
    assert [int(word) for word in compiled(tmp_path, body)] == expected


def test_flags_and_gates_are_those_of_the_header(tmp_path: Path) -> None:
    names = [f"GW_{name}" for kind in (decider.Flags, decider.Gate) for name in kind.__members__]
    body = "\n".join(f'printf("%d\\n", (int){name});' for name in names)
    expected = [int(value) for kind in (decider.Flags, decider.Gate) for value in kind]
    assert [int(word) for word in compiled(tmp_path, body)] == expected


def test_constants_are_those_of_the_header(tmp_path: Path) -> None:
    names = (
        "GW_ROWS",
        "GW_E_NO_PAGE",
        "GW_E_NO_TASK",
        "GW_E_TAKEN",
        "GW_ATTRIBUTES_SIZE",
        "GW_PRIORITY_MIN",
        "GW_PRIORITY_MAX",
    )
    body = "\n".join(f'printf("%d\\n", (int){name});' for name in names)
    assert [int(word) for word in compiled(tmp_path, body)] == [
        page.ROWS,
        page.NO_PAGE,
        page.NO_TASK,
        page.TAKEN,
        page.ATTRIBUTES_SIZE,
        PRIORITY_MIN,
        PRIORITY_MAX,
    ]


def test_the_library_and_the_package_are_of_one_version() -> None:
    assert page.library().gw_version().decode() == giveway.__version__
