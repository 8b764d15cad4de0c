"""Writes the table of docs/guides/cluster.md: ways to place tasks on a thousand devices, simulated.

python tools/placement_table.py             prints the table
python tools/placement_table.py --update    writes the table into docs/guides/cluster.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from giveway.sched.policies import registry
from giveway.simulate import engine, figures, load

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- table: tools/placement_table.py -->", "<!-- end of table -->"
TITLES = {"fractions": "plain fractions", "urgent": "one urgent place"}


def table() -> Iterator[str]:
    scenario = load.load(DOCS / "scenarios" / "cluster.toml")
    alone = engine.run(scenario, None)
    yield (
        "| placement | strategy | urgent tasks that share a device | their p99 by alone | late"
        " | training, of alone | devices that train | most on one | tasks that wait |"
    )
    yield "|---" * 9 + "|"
    for placement, title in TITLES.items():
        for spread in (False, True):
            placed = replace(scenario, placement=placement, spread=spread)
            runs = {"priority": engine.run(placed, registry.make("priority"))}
            run = figures.make_result(placed, alone, runs)["policies"]["priority"]
            where, service = run["placement"], run["tasks"]["service"]
            cells = [
                title,
                "SPREAD" if spread else "default",
                f"{where['urgent_sharing']} of {where['urgent']}",
                f"{service['ratios']['p99']:.2f}",
                str(service["missed"]),
                f"{run['tasks']['training']['share_of_alone']:.0%}",
                str(where["devices_of_others"]),
                str(where["most_others"]),
                str(where["waiting"]),
            ]
            yield f"| {' | '.join(cells)} |"


def main() -> None:
    text = "\n".join(table())
    if "--update" not in sys.argv:
        print(text)
        return
    page = DOCS / "guides" / "cluster.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
