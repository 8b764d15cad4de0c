"""A report as Markdown, for a README or a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from giveway.report import families, headline, requests, scenario, sentences, summary, words
from giveway.report.load import Found, Run, Verify
from giveway.report.svg.markup import Column
from giveway.results.names import mode_name

_NUMBERS: Final = ("p50_ms", "p99_ms")
_FIGURES: Final = (
    Column("mode"),
    Column("program"),
    Column("p50, ms", number=True),
    Column("p99, ms", number=True),
    Column("p99 / alone", number=True),
    Column("per second", number=True),
    Column("of alone", number=True),
    Column("of native", number=True),
)


def markdown(found: Found) -> str:
    """The report as Markdown, with a newline at the end."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Found) -> Iterator[str]:
    yield f"**{_plain(headline.sentence(found))}**"
    yield ""
    facts = [fact.text for fact in headline.facts(found)]
    if facts:
        yield f"{'; '.join(facts)}."
        yield ""
    for caution in headline.cautions(found):
        yield f"- {_plain(caution)}"
    for run in found.runs:
        yield from _run(run)
    for each in found.verifies:
        yield from _verify(each)


def _run(run: Run) -> Iterator[str]:
    result = run.result
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    yield ""
    yield (
        f"Measured on {_plain(run.device)} ({_plain(result['machine']['cpu'])}, "
        f"{result['machine']['cores']} cores) with {_plain(versions)}, {result['date'][:10]}: "
        f"{words.rounds(result['settings'])} in each mode."
    )
    for family in families.of(result["results"]):
        yield ""
        yield f"### {_plain(family.name)}"
        yield from _table(families.columns(family), families.rows(family))
    single = [each for each in result["results"] if not each.get("family")]
    if len(single) > 1:
        yield from _table(summary.COLUMNS, summary.rows(single))
    for each in single:
        yield ""
        yield f"### {_plain(each['name'])}"
        yield ""
        yield _plain(sentences.of(each, run.records[each["name"]]))
        if each["bars"]:
            rows = [
                [words.bar(bar), words.measured(bar), f"{scenario.SIGNS[bar['verdict']]} "
                 f"{bar['verdict']}"]
                for bar in each["bars"]
            ]  # fmt: skip
            yield from _table([Column("bar"), Column("measured"), Column("verdict")], rows)
        if each.get("modes"):
            yield from _table(_FIGURES, _figures(each["modes"]))
            columns, rows = requests.table(each)
            if rows:
                yield from _table(columns, rows)
            notes = (requests.objectives(each), words.share_sums(each), words.device_busy(each))
            for line in filter(None, notes):
                yield ""
                yield _plain(line)


def _figures(modes: Mapping[str, Any]) -> Iterator[list[str]]:
    for mode, programs in modes.items():
        for name, each in programs.items():
            yield [
                mode_name(mode),
                name,
                *(words.number(each[key]) for key in _NUMBERS),
                words.ratio(each["p99_ratio"]),
                words.number(each["throughput"]),
                words.percentage(each["share_of_alone"]),
                words.percentage(each["kept_of_native"]),
            ]


def _verify(verify: Verify) -> Iterator[str]:
    result = verify.result
    yield ""
    yield f"### Checks on {_plain(result['device']['description'])}"
    rows = [
        [check["title"], check["status"], check["reason"] or ""]
        for check in result["checks"]
        if check["status"] != "passed"
    ]
    yield ""
    yield ", ".join(f"{count} {status}" for status, count in result["counts"].items()) + "."
    if rows:
        yield from _table([Column("check"), Column("result"), Column("why")], rows)


def _table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield _line(column.title for column in columns)
    yield _line("--:" if column.number else "---" for column in columns)
    for row in rows:
        yield _line(map(_plain, row))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text on one line, with the special characters of Markdown escaped."""
    marked = "".join(f"\\{sign}" if sign in "\\`*_|[]<>#" else sign for sign in text)
    return " ".join(marked.split())
