"""Reads a scenario file for ``bench``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from giveway.errors import UsageError
from giveway.scenarios.catalog import SERVING, SIZES
from giveway.scenarios.document import Document, Values, read_text, shipped
from giveway.scenarios.model import Arrivals, Bar, Program, Scenario, Server, Size, Tokens

__all__ = ["load", "shipped"]

_LENGTHS: Final = {"prompt_tokens": (128, 128), "output_tokens": (32, 32)}
"""The keys of the lengths of requests, with their defaults."""


def load(name: str, device: str) -> Scenario:
    """The scenario of that name, or in the file of that path, resolved for a device.

    Raises:
        UsageError: no such scenario, or the file is invalid; the text has the position and the
            allowed values.
    """
    known = shipped()
    path = known.get(name) or Path(name)
    if name not in known and not name.endswith(".toml"):
        raise UsageError(
            f"no scenario {name!r}: there are {', '.join(known)}; "
            "for one of your own, give the path of a .toml file"
        )
    return scenario(Document(path, read_text(path), "cpu" if device == "cpu" else "gpu"))


def scenario(document: Document) -> Scenario:
    """The scenario of a file, for a measurement.

    Raises:
        UsageError: a key that a measurement needs is missing; the text has the position.
    """
    top = document.top
    if top["title"] is None:
        document.reject("", 0, "", "title is required: a line of text")
    programs = tuple(_program(document, n, each) for n, each in enumerate(document.programs))
    return Scenario(
        name=document.path.stem,
        title=top["title"],
        programs=programs,
        bars=tuple(_bars(document, [program.name for program in programs])),
        together=top["together"],
        modes=tuple(top["modes"]),
        start_timeout=top["start_timeout"],
        answer_timeout=top["answer_timeout"],
    )


def _program(document: Document, number: int, values: Values) -> Program:
    if bool(values["model"]) == bool(values["command"]):
        both = ", not both" if values["model"] else ""
        document.reject("program", number, "", f"one of model and command is required{both}")
    return Program(
        name=values["name"],
        arrivals=_arrivals(document, number, values),
        priority=values["priority"],
        model=values["model"],
        task=values["task"],
        sizes=_sizes(document, number, values),
        command=tuple(values["command"]),
        environment=values["environment"],
        hints=values["hints"],
        quota=values["quota"],
        tokens=_tokens(document, number, values),
        server=_server(document, number, values),
        slo=_slo(document, number, values),
    )


def _tokens(document: Document, number: int, values: Values) -> Tokens | None:
    """The lengths of requests, where the program is a language model that answers requests."""
    given = {key: values[key] for key in _LENGTHS}
    if values["openai"] is None and values["model"] not in SERVING:
        for key, value in given.items():
            if value is not None:
                needs = f"only with openai, or with the model {', '.join(SERVING)}"
                document.reject("program", number, key, needs)
        return None
    prompt, output = (given[key] or default for key, default in _LENGTHS.items())
    return Tokens(prompt, output)


def _server(document: Document, number: int, values: Values) -> Server | None:
    url = values["openai"]
    if url is None:
        for key in ("prompt", "request"):
            if values[key] is not None:
                document.reject("program", number, key, "only with openai")
        return None
    if not values["command"]:
        document.reject("program", number, "openai", "needs the command that starts the server")
    prompt: Literal["text", "tokens"] = values["prompt"] or "text"
    if prompt == "tokens" and url.endswith("/chat/completions"):
        document.reject("program", number, "prompt", "chat completions take text only")
    return Server(url, prompt, values["request"] or {})


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
    trace: tuple[float, ...] = ()
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


def _trace(document: Document, number: int, name: str) -> tuple[float, ...]:
    """Reads a trace file: one time in seconds a line, ascending."""
    path = document.path.parent / name
    try:
        moments = tuple(float(line) for line in path.read_text().split())
    except OSError as error:
        document.reject("program", number, "trace", f"cannot read {path}: {error.strerror}")
    except ValueError as error:
        document.reject("program", number, "trace", f"{path} must hold numbers: {error}")
    if len(moments) < 2 or list(moments) != sorted(moments) or moments[0] < 0:
        allowed = "two or more ascending numbers of seconds from 0"
        document.reject("program", number, "trace", f"{path} must hold {allowed}")
    return moments


def _sizes(document: Document, number: int, values: Values) -> tuple[Size, ...]:
    model, sizes = values["model"], values["sizes"]
    if model is None:
        return ()
    known = SIZES[model]
    for size in sizes or []:
        for key, value in size.items():
            if key not in known:
                allowed = f"{model} has {', '.join(known)}"
                document.reject("program", number, key, f"unknown; {allowed}", inside=True)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                problem = f"{value!r} is not allowed; allowed: a whole number from 1"
                document.reject("program", number, key, problem, inside=True)
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
