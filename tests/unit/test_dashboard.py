"""The Grafana dashboard asks for metrics and labels that there are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_metrics import DETAILS, GPU, SERVE, STATUS, samples

DASHBOARD = Path(__file__).parents[2] / "contrib" / "grafana-dashboard.json"
DOCUMENT: dict[str, Any] = json.loads(DASHBOARD.read_text())
OF_PROMETHEUS = {"instance"}
"""Labels that a scrape adds."""

QUERIES = [
    *(
        (target["expr"], target["legendFormat"])
        for panel in DOCUMENT["panels"]
        for target in panel["targets"]
    ),
    *((each["query"], "") for each in DOCUMENT["templating"]["list"] if each["type"] == "query"),
]
TOLERANT = replace(SERVE, tolerance=10, slowdown=3, slack="within")
HAVE = samples(STATUS, [TOLERANT], DETAILS, {GPU: 3})


def words(pattern: str, text: str) -> set[str]:
    return {word.strip() for group in re.findall(pattern, text) for word in group.split(",")}


@pytest.mark.parametrize(("expression", "legend"), QUERIES)
def test_a_query_asks_for_what_there_is(expression: str, legend: str) -> None:
    names = re.findall(r"\bgiveway_\w+", expression)
    assert names
    assert set(names) <= HAVE.keys()
    grouped = words(r"(?:by|on) \(([^)]*)\)", expression)
    asked = grouped | words(r"(\w+)=~?\"", expression)
    asked |= words(r"label_values\(.*, (\w+)\)", expression)
    labels = [HAVE[name][0][0].keys() | OF_PROMETHEUS for name in names]
    assert all(asked <= each for each in labels)
    # A sum keeps the labels that it is grouped by, and a match those that it is on.
    kept = words(r"by \(([^)]*)\)", expression) or words(r"on \(([^)]*)\) (?!group)", expression)
    kept = kept or set.intersection(*map(set, labels))
    assert words(r"{{(\w+)}}", legend) <= kept


def test_every_variable_is_used_and_every_used_one_is_there() -> None:
    there = {each["name"] for each in DOCUMENT["templating"]["list"]}
    used = words(r"\$\{?(\w+)", json.dumps(DOCUMENT)) - {"__rate_interval"}
    assert used == there


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DOCUMENT["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
