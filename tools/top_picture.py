"""Draws what `giveway top` shows of this machine now.

python tools/top_picture.py COLUMNS FILE.svg    waits two seconds for the rates

Without fonts from a network, so the picture uses the reader's own.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from giveway.cli.live import steering
from giveway.cli.live.rates import Rates
from giveway.cli.live.screen import picture
from giveway.cli.live.view import View
from giveway.observe.details import Inspector
from giveway.observe.tasks import snapshot

LINES = 12


def main() -> None:
    columns, file = int(sys.argv[1]), Path(sys.argv[2])
    rates, inspector = Rates(), Inspector()
    for _ in range(2):
        tasks, others = snapshot(None)
        daemon = steering.read()
        rates.update(tasks, time.monotonic(), daemon.running, {})
        time.sleep(2)
    view = View(tasks, others, f"gates {daemon}", daemon, details=inspector.read(tasks, others))
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=columns, height=LINES, file=nowhere)
        console.print(picture(rates, view, "p", None, (columns, LINES)))
    form = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    file.write_text(console.export_svg(title="giveway top", code_format=form))


if __name__ == "__main__":
    main()
