"""The section of a page about results of ``giveway verify``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from giveway.report import words
from giveway.report.load import Verify
from giveway.report.svg.markup import Column, Markup, element, table

_PHASES: Final = {
    "1": "Phase 1: torch and its libraries",
    "2": "Phase 2: building blocks",
    "3": "Phase 3: models",
    "extra": "Other behaviour of programs",
}
_STATUS: Final = {"passed": ("good", "✓"), "failed": ("bad", "✕"), "skipped": ("open", "–")}
_COLUMNS: Final = (
    Column("Check"),
    Column("Result"),
    Column("Same numbers"),
    Column("Launches", number=True),
    Column("Times held", number=True),
    Column("Time", number=True),
)


def section(verify: Verify) -> Markup:
    """The section of one result, with a table for each phase."""
    result = verify.result
    counts = ", ".join(f"{number} {status}" for status, number in result["counts"].items())
    rivals = result["rivals"]
    beside = f", beside {rivals} of lower and {rivals} of higher priority" if rivals else ""
    return element(
        "section",
        element("h2", "Checks", element("small", f"{result['device']['description']}")),
        element(
            "p",
            "Each program ran under giveway and without it, with the same seed, and had to compute "
            f"the same numbers{beside}: {counts}.",
            class_="said",
        ),
        *_phases(result["checks"]),
        class_="checks",
    )


def _phases(checks: list[dict[str, Any]]) -> Iterator[Markup]:
    for phase in dict.fromkeys(check["phase"] for check in checks):
        rows = [_row(check) for check in checks if check["phase"] == phase]
        yield table(_PHASES.get(phase, f"Phase {phase}"), _COLUMNS, rows)


def _row(check: dict[str, Any]) -> list[Markup | str]:
    tone, sign = _STATUS[check["status"]]
    seen = check["seen"] or {}
    return [
        check["title"],
        element(
            "span",
            element("span", sign, aria_hidden="true"),
            f" {check['status']}",
            class_=f"mark {tone}",
        ),
        check["reason"] or _same(check["comparison"]),
        words.whole(seen.get("launches")),
        words.whole(seen.get("holds")),
        f"{words.number(check['seconds'])} s",
    ]


def _same(comparison: dict[str, Any] | None) -> str:
    if comparison is None:
        return words.NONE
    return "bit for bit" if comparison["how"] == "bitwise" else "within tolerance"
