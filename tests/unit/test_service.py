"""The systemd unit in contrib, as giveway reads its command line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from giveway.cli.serve import command

UNIT = Path(__file__).parents[2] / "contrib" / "giveway.service"


def test_giveway_takes_its_command_line() -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    program, name, *arguments = shlex.split(line)
    assert (program, name) == ("%h/.local/bin/giveway", command.name)
    assert command.make_context("serve", arguments).params["policy"] == "priority"
