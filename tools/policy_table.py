"""Writes the tables of docs/concepts/policies.md: every policy on every scenario, simulated.

python tools/policy_table.py             prints the tables
python tools/policy_table.py --update    writes the tables into docs/concepts/policies.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from giveway.sched.policies import registry
from giveway.simulate import engine, figures, load

DOCS = Path(__file__).parents[1] / "docs"
SCENARIOS = ("dual", "dual-heavy", "tenants", "realtime", "train", "llm", "decode", "starve")
BEGIN, END = "<!-- tables: tools/policy_table.py -->", "<!-- end of tables -->"


def cell(figures_of: dict[str, Any]) -> str:
    """The main figure of a program: how much longer its requests take, or its throughput."""
    if "throughput" in figures_of:
        alone, left = figures_of["share_of_alone"], figures_of["share_of_left"]
        return f"{alone:.0%}" + (f" ({left:.0%})" if left != alone else "")
    late = f", {figures_of['missed']} late" if figures_of.get("missed") else ""
    return f"{figures_of['ratios']['p50']:.2f} / {figures_of['ratios']['p99']:.2f}{late}"


def table(name: str) -> Iterator[str]:
    scenario = load.load(Path(name))
    alone = engine.run(scenario, None)
    runs = {policy: engine.run(scenario, registry.make(policy)) for policy in registry.BUILT_IN}
    result = figures.make_result(scenario, alone, runs)
    yield f"**{name}**"
    yield ""
    titles = [
        program.name + (" (p50 / p99)" if program.arrivals != "saturating" else "")
        for program in scenario.programs
    ]
    yield "| | " + " | ".join([*titles, "device busy"]) + " |"
    yield "|---" * (len(titles) + 2) + "|"
    rows: dict[str, list[str]] = {}
    for policy, run in result["policies"].items():
        cells = [cell(run["tasks"][program.name]) for program in scenario.programs]
        row = " | ".join([*cells, f"{run['device_busy_share']:.0%}"])
        rows.setdefault(row, []).append(f"`{policy}`")
    for row, policies in rows.items():
        yield f"| {', '.join(policies)} | {row} |"
    yield ""


def main() -> None:
    text = "\n".join(line for name in SCENARIOS for line in table(name))
    if "--update" not in sys.argv:
        print(text)
        return
    page = DOCS / "concepts" / "policies.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
