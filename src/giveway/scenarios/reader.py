"""Reads a scenario file for ``bench``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Final, Literal

from giveway.errors import UsageError, choices
from giveway.scenarios import traces
from giveway.scenarios.catalog import SERVING, SIZES
from giveway.scenarios.document import Document, Values, no_such, read_text, shipped
from giveway.scenarios.model import (
    PORT,
    Arrivals,
    Bar,
    Program,
    Scenario,
    Server,
    Size,
    Tokens,
)
from giveway.scenarios.traces import Arrival

__all__ = ["load", "load_all", "shipped"]

_LENGTHS: Final = {"prompt_tokens": (128, 128), "output_tokens": (32, 32)}
"""The keys of the lengths of requests, with their defaults."""
_CHOSEN: Final = {
    "max_tokens": "bench sets it, to a length in output_tokens",
    "prompt": "bench makes it, with a length in prompt_tokens",
    "messages": "bench makes it, with a length in prompt_tokens",
    "stream": "bench sets it, because it measures when tokens come",
}
"""Fields of a request that a scenario may not set, since the figures would not know of it."""


def load(name: str, device: str) -> Scenario:
    """The one scenario of that name, or in the file of that path, resolved for a device.

    Raises:
        UsageError: as for ``load_all``, or the file describes several.
    """
    found = load_all(name, device)
    if len(found) > 1:
        raise UsageError(f"{name} has {len(found)} scenarios: name one, such as {found[0].name}")
    return found[0]


def load_all(name: str, device: str) -> list[Scenario]:
    """The scenarios of a name or a path, resolved for a device.

    ``NAME@VARIANT`` names one of several scenarios that a file describes.

    Raises:
        UsageError: no such scenario, or the file is invalid; the text has the position and the
            allowed values.
    """
    base, _, variant = ("", "", "") if name.endswith(".toml") else name.rpartition("@")
    file = base or name
    known = shipped()
    if file not in known and not file.endswith(".toml"):
        raise no_such(name)
    path = known.get(file) or Path(file)
    found = scenarios(Document(path, read_text(path), "cpu" if device == "cpu" else "gpu"))
    if not base:
        return found
    named = {each.name.partition("@")[2]: each for each in found if each.family}
    if not named:
        raise UsageError(f"{file} has no variants: name it without @{variant}")
    if variant not in named:
        raise UsageError(f"{file} has no variant {variant!r}: {choices(variant, named)}")
    return [named[variant]]


def scenarios(document: Document) -> list[Scenario]:
    """The scenarios of a file, for a measurement: one for each combination of variants.

    Raises:
        UsageError: a key that a measurement needs is missing; the text has the position.
    """
    top = document.top
    if top["title"] is None:
        document.reject("", 0, "", "title is required: a line of text")
    each_of = [_programs(document, n, each) for n, each in enumerate(document.programs)]
    bars = tuple(_bars(document, [values["name"] for values in document.programs]))
    found = []
    for combination in product(*each_of):
        variant = "+".join(name for name, _ in combination if name)
        stem = document.path.stem
        found.append(
            Scenario(
                name=f"{stem}@{variant}" if variant else stem,
                title=top["title"],
                programs=tuple(program for _, program in combination),
                bars=bars,
                together=top["together"],
                modes=tuple(top["modes"]),
                start_timeout=top["start_timeout"],
                answer_timeout=top["answer_timeout"],
                family=stem if variant else "",
            )
        )
    return found


def _programs(document: Document, number: int, values: Values) -> list[tuple[str, Program]]:
    """The variants of a program, each with its name; one without a name if it has none."""
    variants = document.variants[number]
    if not variants:
        return [("", _program(document, "program", number, number, values))]
    for key in ("model", "sizes", "command"):
        if values[key]:
            document.reject("program", number, key, "belongs to each [[program.variant]]")
    found: dict[str, Program] = {}
    for at, variant in variants:
        name = variant["name"] or str(variant["model"])
        if name in found:
            problem = f"{name!r} is used twice: give each [[program.variant]] a name"
            document.reject("program.variant", at, "", problem)
        merged = {**values, "model": variant["model"], "sizes": variant["sizes"]}
        found[name] = _program(document, "program.variant", at, number, merged)
    return list(found.items())


def _program(document: Document, table: str, at: int, number: int, values: Values) -> Program:
    """A program.

    Args:
        document: the file, for errors.
        table: the name of the table that has the model.
        at: the index of that table.
        number: the index of the program.
        values: the values of the program.
    """
    if bool(values["model"]) == bool(values["command"]):
        both = ", not both" if values["model"] else ""
        document.reject(table, at, "", f"one of model and command is required{both}")
    arrivals = _arrivals(document, number, values)
    return Program(
        name=values["name"],
        arrivals=arrivals,
        priority=values["priority"],
        model=values["model"],
        task=values["task"],
        sizes=_sizes(document, table, at, values),
        command=tuple(values["command"]),
        environment=values["environment"],
        hints=values["hints"],
        quota=values["quota"],
        tokens=_tokens(document, number, values, arrivals.trace),
        server=_server(document, number, values),
        slo=_slo(document, number, values),
    )


def _tokens(
    document: Document, number: int, values: Values, trace: Sequence[Arrival]
) -> Tokens | None:
    """The lengths of requests, where the program is a language model that answers requests.

    They are those of the file, of the trace, or the defaults.
    """
    given = {key: values[key] for key in _LENGTHS}
    if values["openai"] is None and values["model"] not in SERVING:
        for key, value in given.items():
            if value is not None:
                needs = f"only with openai, or with the model {', '.join(SERVING)}"
                document.reject("program", number, key, needs)
        return None
    prompt, output = (
        given[key] or _range(getattr(each, key) for each in trace) or default
        for key, default in _LENGTHS.items()
    )
    return Tokens(prompt, output)


def _range(tokens: Iterable[int | None]) -> tuple[int, int] | None:
    """The least and the most tokens of the requests of a trace; None if it does not say."""
    known = [max(1, each) for each in tokens if each is not None]
    return (min(known), max(known)) if known else None


def _server(document: Document, number: int, values: Values) -> Server | None:
    url = values["openai"]
    if url is None:
        for key in ("prompt", "request"):
            if values[key] is not None:
                document.reject("program", number, key, "only with openai")
        return None
    if not values["command"]:
        document.reject("program", number, "openai", "needs the command that starts the server")
    _check_port(document, number, values)
    prompt: Literal["text", "tokens"] = values["prompt"] or "text"
    if prompt == "tokens" and url.endswith("/chat/completions"):
        document.reject("program", number, "prompt", "chat completions take text only")
    request = values["request"] or {}
    for key, says in _CHOSEN.items():
        if request.get(key, {}) != {}:  # an empty table leaves a field out
            document.reject("program", number, "request", f"{key}: {says}")
    return Server(url, prompt, request)


def _check_port(document: Document, number: int, values: Values) -> None:
    """Refuses a port that the bench chooses for a server and requests of one of the two only."""
    named = {
        "command": any(PORT in word for word in values["command"]),
        "environment": any(PORT in text for text in values["environment"].values()),
    }
    if PORT in values["openai"]:
        if not any(named.values()):
            needs = f"{PORT} has to be in command or environment too, or the server cannot know it"
            document.reject("program", number, "openai", needs)
        return
    for key, has_port in named.items():
        if has_port:
            needs = f'{PORT} has to be in openai too, as in "http://127.0.0.1:{PORT}"'
            document.reject("program", number, key, needs)


def _slo(document: Document, number: int, values: Values) -> dict[str, float]:
    slo: dict[str, float] = values["slo"] or {}
    if slo and values["model"]:
        if values["arrivals"] == "saturating":
            document.reject("program", number, "slo", "needs arrivals: batches have no objective")
        if values["model"] not in SERVING and set(slo) - {"e2e"}:
            document.reject("program", number, "slo", f"{values['model']} has only e2e, no tokens")
    return slo


def _arrivals(document: Document, number: int, values: Values) -> Arrivals:
    process, rate, busy = values["arrivals"], values["rate"], values["busy"]
    if values["period"] is not None:
        if rate is not None:
            document.reject("program", number, "rate", "the period is already given")
        rate = 1e9 / values["period"]
    trace: tuple[Arrival, ...] = ()
    if process == "trace":
        if values["trace"] is None:
            document.reject("program", number, "arrivals", '"trace" needs trace = "FILE"')
        trace = _trace(document, number, values["trace"])
    elif values["openai"] is not None and (process == "saturating" or rate is None):
        what = "openai needs arrivals fixed or poisson and a rate, or arrivals trace"
        document.reject("program", number, "arrivals", what)
    elif values["openai"] is not None:
        if busy is not None:
            document.reject("program", number, "busy", "not for a server: give a rate")
    elif process in ("fixed", "poisson") and not values["command"]:
        if rate is None and busy is None:
            document.reject("program", number, "arrivals", f'"{process}" needs rate or busy')
    elif (rate, busy) != (None, None):
        what = "a command makes its own requests" if values["command"] else f'not for "{process}"'
        key = "busy" if rate is None else "rate" if values["period"] is None else "period"
        document.reject("program", number, key, what)
    return Arrivals(process, rate, busy, trace)


def _trace(document: Document, number: int, name: str) -> tuple[Arrival, ...]:
    path = document.path.parent / name
    try:
        return traces.read(path)
    except OSError as error:
        document.reject("program", number, "trace", f"cannot read {path}: {error.strerror}")


def _sizes(document: Document, table: str, at: int, values: Values) -> tuple[Size, ...]:
    model, sizes = values["model"], values["sizes"]
    if model is None:
        return ()
    known = SIZES[model]
    for size in sizes or []:
        for key, value in size.items():
            if key not in known:
                allowed = f"{model} has {', '.join(known)}"
                document.reject(table, at, key, f"unknown; {allowed}", inside=True)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                problem = f"{value!r} is not allowed; allowed: a whole number from 1"
                document.reject(table, at, key, problem, inside=True)
    return tuple({**known, **size} for size in sizes or [{}])


def _bars(document: Document, names: list[str]) -> Iterator[Bar]:
    for number, values in enumerate(document.bars):
        order = tuple(values["order"])
        for key, given in (("program", [values["program"]]), ("order", order)):
            for name in filter(None, given):
                if name not in names:
                    problem = f"{name!r} is not a program; there are {', '.join(names)}"
                    document.reject("bar", number, key, problem)
        if bool(values["program"]) == bool(order):
            document.reject("bar", number, "", "one of program and order is required")
        limits = sum(document.has("bar", number, key) for key in ("at_most", "at_least"))
        if limits != (0 if order else 1):
            problem = "no limit with order" if order else "one of at_most and at_least is required"
            document.reject("bar", number, "", problem)
        at_most, at_least = values["at_most"], values["at_least"]
        if order or (at_most, at_least) != (None, None):  # otherwise the bar is for other devices
            yield Bar(values["figure"], values["program"], order, at_most, at_least, values["mode"])
