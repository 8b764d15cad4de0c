"""The page: one self-contained HTML file, without scripts or network access."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from giveway.report import checks, headline, opening, scenario, words
from giveway.report.load import Found, Run
from giveway.report.svg import plot
from giveway.report.svg.markup import Child, Column, Markup, element, joined, table
from giveway.results import archive
from giveway.results.verdict import Scenario
from giveway.version import __version__

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""With this policy, the browser keeps the page from loading anything."""
_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<rect width="16" height="16" rx="3" fill="#0b5fbd"/>'
    '<path d="M3 5h10M3 11h5" stroke="white" stroke-width="2"/></svg>'
)
_SIGNS: Final = {"good": "✓", "bad": "✕", "open": "–"}
_TYPES: Final = {".json": "application/json", ".jsonl": "application/jsonl"}


def page(found: Found) -> str:
    """The HTML of a report."""
    names = plot.Names()
    body = joined((
        _header(found),
        element("main", *_main(names, found)),
        element("footer", element("p", f"Made by giveway {__version__}."
                                       " docs/concepts/measuring.md explains the method and its"
                                       " limits.")),
    ))  # fmt: skip
    document = element(
        "html",
        _head(headline.sentence(found)),
        element("body", body),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{document}\n"


def _head(description: str) -> Markup:
    style = files("giveway.report").joinpath("style.css").read_text(encoding="utf-8")
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="description", content=description),
        element("title", "giveway report"),
        element("link", rel="icon", href=_data("image/svg+xml", _ICON.encode())),
        element("style", Markup(style)),
    )


def _header(found: Found) -> Markup:
    devices = dict.fromkeys(run.device for run in found.runs)
    devices |= dict.fromkeys(each.result["device"]["description"] for each in found.verifies)
    dates = sorted(result["date"] for _, result in _results(found))
    cautions = headline.cautions(found)
    return element(
        "header",
        element("p", " · ".join(("giveway report", *devices, _day(dates[-1]))), class_="eyebrow"),
        element("h1", headline.sentence(found)),
        element("ul", *map(_fact, headline.facts(found)), class_="facts"),
        element(
            "details",
            element("summary", _count(len(cautions))),
            element("ul", *(element("li", each) for each in cautions)),
            class_="cautions",
        )
        if cautions
        else None,
    )


def _count(cautions: int) -> str:
    return f"{cautions} warning{'' if cautions == 1 else 's'} about these figures"


def _fact(fact: headline.Fact) -> Markup:
    sign = element("span", _SIGNS[fact.tone], aria_hidden="true")
    return element("li", sign, f" {fact.text}", class_=f"mark {fact.tone}")


def _main(names: plot.Names, found: Found) -> Iterator[Child]:
    for run in found.runs:
        yield _run(names, run, headline.sentence(found))
    for each in found.verifies:
        yield checks.section(each)
    yield element("section", element("h2", "Machine and versions"), _machines(found))
    yield element("section", element("h2", "Raw numbers"), _downloads(found))


def _run(names: plot.Names, run: Run, verdict: str) -> Markup:
    method = (
        f"{words.rounds(run.result['settings'])} in each mode; the modes take turns within each "
        "round. Latency counts from when a request was due."
    )
    anchors = {each["name"]: names.new(each["name"]) for each in run.result["results"]}
    return element(
        "section",
        element("h2", "Measured", element("small", f"{run.device}, {_day(run.result['date'])}")),
        *opening.contents(run, anchors),
        element("p", method, class_="note"),
        *(_scenario(names, anchors[each["name"]], each, run, verdict)
          for each in run.result["results"]),
    )  # fmt: skip


def _scenario(names: plot.Names, anchor: str, found: Scenario, run: Run, verdict: str) -> Markup:
    """The section of a scenario; folded if it belongs to a family, which has a table."""
    section = scenario.section(names, anchor, found, run.records[found["name"]], verdict)
    if not found.get("family"):
        return section
    return element("details", element("summary", found["name"]), section, class_="variant")


def _machines(found: Found) -> Markup:
    """A table with one column for each result."""
    columns: dict[str, dict[str, str]] = {}
    for name, result in _results(found):
        machine = dict(result["machine"])
        device = result["device"]
        columns[name] = {
            "Device": machine.get("device")
            or (device["description"] if isinstance(device, dict) else device),
            "CPU": f"{machine['cpu']}, {machine['cores']} cores",
            "Memory": words.size(machine["memory_bytes"]),
            "System": f"{machine['system']}, {machine['architecture']}",
            **{name: version or "not installed" for name, version in result["versions"].items()},
            "Measured": _moment(result["date"]),
        }
    facts = dict.fromkeys(key for each in columns.values() for key in each)
    return table(
        "Machines and versions",
        [Column(""), *(Column(name) for name in columns)],
        [[key, *(each.get(key, words.NONE) for each in columns.values())] for key in facts],
    )


def _results(found: Found) -> Iterator[tuple[str, dict[str, Any]]]:
    for run in found.runs:
        yield run.folder.resolve().name, run.result
    for each in found.verifies:
        yield f"{each.path.resolve().parent.name}/{each.path.name}", each.result


def _downloads(found: Found) -> Markup:
    return element(
        "ul",
        *(
            element("li", _download(path.parent.resolve().name, path))
            for path in sorted(set(_files(found)))
        ),
        class_="downloads",
    )


def _files(found: Found) -> Iterable[Path]:
    for run in found.runs:
        yield from (each for each in archive.files(run.folder) if each.suffix in _TYPES)
    for each in found.verifies:
        yield each.path


def _download(folder: str, path: Path) -> Markup:
    content = archive.read(path)
    return element(
        "a",
        f"{folder}/{path.name}",
        element("small", f" {words.size(len(content))}"),
        href=_data(_TYPES[path.suffix], content),
        download=f"{folder}-{path.name}",
    )


def _data(kind: str, content: bytes) -> str:
    """A URL that contains the data itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _day(date: str) -> str:
    """An ISO 8601 time as a date for readers."""
    return f"{datetime.fromisoformat(date):%-d %B %Y}"


def _moment(date: str) -> str:
    return f"{datetime.fromisoformat(date):%Y-%m-%d %H:%M} UTC"
