"""Scenarios that one file describes: a sweep over loads, or pairs of programs; one table.

A sweep has a row for each load and mode, because there are few of both. Pairs have one row each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from giveway.report import price, words
from giveway.report.svg.markup import Child, Column, Markup, element, stacked, table
from giveway.results.names import mode_name
from giveway.results.stats import geometric_mean
from giveway.results.verdict import Scenario, urgent_and_other
from giveway.scenarios.modes import ordered

_SHARE = "share_of_alone"


@dataclass(frozen=True, slots=True)
class Family:
    """The scenarios of one file, in the order in which they were measured."""

    name: str
    members: Sequence[Scenario]

    @property
    def loads(self) -> bool:
        """Whether the members are one scenario at several loads."""
        return all(each.get("load") is not None for each in self.members)

    @property
    def price(self) -> price.Time:
        """The time of the urgent programs that the table of pairs shows."""
        return price.time(*self.members)

    @property
    def modes(self) -> list[str]:
        """The modes beside ``alone`` that some member was measured in."""
        found = {mode for each in self.members for mode in each.get("modes", {})}
        return list(ordered(found - {"alone"}))


def of(results: Iterable[Scenario]) -> list[Family]:
    """The families among the scenarios of a run."""
    found: dict[str, list[Scenario]] = {}
    for each in results:
        if name := each.get("family"):
            found.setdefault(name, []).append(each)
    return [Family(name, members) for name, members in found.items()]


def columns(family: Family) -> list[Column]:
    """The titles of the columns of a family's table."""
    if family.loads:
        times = price.times(*family.members)
        return [
            *(Column("Load"), Column("Mode")),
            *(Column(f"Urgent {each.title}", number=True) for each in times),
            Column("Other", number=True),
        ]
    modes = [mode_name(mode) for mode in family.modes]
    return [
        Column("Programs"),
        *(Column(f"Urgent {family.price.title} {mode}", number=True) for mode in modes),
        *(Column(f"Other {mode}", number=True) for mode in modes),
    ]


def rows(family: Family) -> Iterator[list[str]]:
    """The cells under ``columns``: latencies and throughputs relative to alone.

    The last row of several pairs is their geometric mean.
    """
    if family.loads:
        yield from _rows_of_loads(family)
        return
    for member in family.members:
        yield [
            member_name(member),
            *(words.ratio(estimate(member, mode, family.price.ratio)) for mode in family.modes),
            *(words.percentage(estimate(member, mode, _SHARE)) for mode in family.modes),
        ]
    if len(family.members) > 1:
        yield [
            "geometric mean",
            *(_mean(family, mode, family.price.ratio, words.times) for mode in family.modes),
            *(_mean(family, mode, _SHARE, words.share) for mode in family.modes),
        ]


def _rows_of_loads(family: Family) -> Iterator[list[str]]:
    times = price.times(*family.members)
    for member, mode in product(family.members, family.modes):
        yield [
            member_name(member),
            mode_name(mode),
            *(words.ratio(estimate(member, mode, each.ratio)) for each in times),
            words.percentage(estimate(member, mode, _SHARE)),
        ]


def contents(family: Family, anchors: Mapping[str, str]) -> Markup:
    """The rows as a table, with links to the sections of the page."""
    sections = {member_name(each): anchors[each["name"]] for each in family.members}
    linked: list[list[Child]] = []
    for name, *rest in rows(family):
        first: Child = name
        if name in sections:
            first = element("a", name, href=f"#{sections[name]}")
        linked.append([first, *map(stacked, rest)])
    caption = f"{family.name}: relative to each program alone"
    return table(caption, columns(family), linked)


def member_name(member: Scenario) -> str:
    """What distinguishes a member: its load as a percentage, or its programs."""
    if member.get("load") is not None:
        return f"{100 * member['load']:g}%"
    return str(member["name"]).partition("@")[2]


def estimate(member: Scenario, mode: str, figure: str) -> Mapping[str, Any] | None:
    """A figure of the urgent program or, for a share, of the other one."""
    if not member.get("programs"):
        return None
    urgent, other = urgent_and_other(member)
    program = other if figure == _SHARE else urgent
    found: Mapping[str, Any] | None = member["modes"].get(mode, {}).get(program, {}).get(figure)
    return found


def _mean(family: Family, mode: str, figure: str, said: Any) -> str:
    """The geometric mean over the members that were measured; their number if some were not."""
    found = [estimate(each, mode, figure) for each in family.members]
    values = [each["value"] for each in found if each is not None and each["value"] > 0]
    if not values:
        return words.NONE
    of = "" if len(values) == len(family.members) else f" ({len(values)} measured)"
    return f"{said(geometric_mean(values))}{of}"
