"""The Python mirror of the C interface against the installed header, as a C compiler reads it."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

import giveway
from giveway import page
from giveway.page import decider
from giveway.page.parking import Refusal, Stage
from giveway.sched import attributes
from giveway.sched.task import PRIORITY_MAX, PRIORITY_MIN

INCLUDE = Path(giveway.__file__).parent / "include"


STRUCTS = {"gw_task_info": page.TaskInfo, "gw_change": decider.ChangeStruct}
ENUMS = (decider.Flags, decider.Gate)
CONSTANTS = {
    "GW_ROWS": page.ROWS,
    "GW_E_NO_PAGE": page.NO_PAGE,
    "GW_E_NO_TASK": page.NO_TASK,
    "GW_E_TAKEN": page.TAKEN,
    "GW_ATTRIBUTES_SIZE": page.ATTRIBUTES_SIZE,
    "GW_ATTRIBUTES_SIZE - 1": attributes.TEXT_BYTES,
    "GW_PRIORITY_MIN": PRIORITY_MIN,
    "GW_PRIORITY_MAX": PRIORITY_MAX,
    "GW_NOT_PARKED": Stage.NOT_PARKED,
    "GW_PARKED": Stage.PARKED,
    **{f"GW_PARK_{s.name}": s for s in Stage if s.name in ("DRAINS", "SAVES", "RESTORES")},
    **{f"GW_PARK_{r.name}": r for r in Refusal if r is not Refusal.NONE},
}


def expressions() -> list[str]:
    """What the tests want to know, in C."""
    found = [f"GW_{name}" for kind in ENUMS for name in kind.__members__]
    found += CONSTANTS
    for name, mirror in STRUCTS.items():
        found.append(f"sizeof(struct {name})")
        for field, *_ in mirror._fields_:
            found.append(f"offsetof(struct {name}, {field})")
            found.append(f"sizeof(((struct {name} *)0)->{field})")
    return found


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The value that each expression has to a C compiler."""
    folder = tmp_path_factory.mktemp("headers")
    source, program = folder / "print.c", folder / "print"
    prints = "\n".join(f'printf("%ld\\n", (long)({each}));' for each in expressions())
    source.write_text(
        '#include <stddef.h>\n#include <stdio.h>\n#include "gate_page.h"\n#include "giveway.h"\n'
        f"int main(void) {{\n{prints}\nreturn 0;\n}}\n"
    )
    subprocess.run(
        ["cc", "-std=c11", "-D_GNU_SOURCE", "-Werror", f"-I{INCLUDE}", source, "-o", program],
        check=True,
    )
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return dict(zip(expressions(), map(int, printed.split()), strict=True))


@pytest.mark.parametrize("name", STRUCTS)
def test_a_struct_has_the_layout_of_the_header(compiled: dict[str, int], name: str) -> None:
    mirror = STRUCTS[name]
    assert compiled[f"sizeof(struct {name})"] == ctypes.sizeof(mirror)
    for field, *_ in mirror._fields_:
        place = getattr(mirror, field)
        assert compiled[f"offsetof(struct {name}, {field})"] == place.offset, field
        assert compiled[f"sizeof(((struct {name} *)0)->{field})"] == place.size, field


def test_flags_and_gates_are_those_of_the_header(compiled: dict[str, int]) -> None:
    for kind in ENUMS:
        for name, value in kind.__members__.items():
            assert compiled[f"GW_{name}"] == value, name


def test_constants_are_those_of_the_header(compiled: dict[str, int]) -> None:
    assert {name: compiled[name] for name in CONSTANTS} == CONSTANTS
