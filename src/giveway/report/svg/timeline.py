"""The chart of one urgent request: which program held the device meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from giveway.report import words
from giveway.report.svg import plot
from giveway.report.svg.markup import Child, Markup, element, joined
from giveway.report.svg.scale import Linear, Scale
from giveway.results.names import mode_name
from giveway.results.verdict import Scenario, urgent_and_other

_ROW: Final = 46
_BAR: Final = 18
_TOP: Final = 22
_AROUND: Final = 0.35
"""The time shown before and after a request, as a multiple of its length."""
_AT_LEAST: Final = 0.003
_SHARED: Final = 6
_SAMPLED: Final = (
    "Hatched: held at a closed gate. The gate page was sampled every {:g} ms. A task stays active "
    "a little longer than its work, so that its next launch finds the device free."
)
_SPANS: Final = (
    "Without giveway there is no gate: a bar is the work on one request or batch. Where bars "
    "overlap, the programs slow each other down."
)

_KERNELS: Final = (
    " The thin line below a bar: when kernels of the program were on the device. Where programs "
    "take turns on it, this includes the turns of others."
)
_THIN: Final = 5

Timelines = Sequence[Mapping[str, Any]]
"""The records of kind ``timeline`` of a scenario."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, in seconds from the start of its segment."""

    due: float
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A program in one state, or at work on one request or batch."""

    state: str
    begin: float
    end: float


def typical(timeline: Mapping[str, Any], program: str) -> Request | None:
    """The request with the median latency among those that lie wholly within the timeline."""
    inside = [
        Request(*span)
        for span in timeline["spans"].get(program, [])
        if span[0] >= timeline["start"] and span[2] <= timeline["end"]
    ]
    inside.sort(key=lambda each: each.ended - each.due)
    return inside[(len(inside) - 1) // 2] if inside else None


def stretches(timeline: Mapping[str, Any], program: str) -> Iterator[Stretch]:
    """The states of a program, from samples of the gate page if there are any, else from its
    requests."""
    changes = timeline["states"].get(program)
    if not changes:
        for _, began, ended in timeline["spans"].get(program, []):
            yield Stretch("busy", began, ended)
        return
    ends = [moment for moment, _ in changes[1:]] + [timeline["end"]]
    for (begin, state), end in zip(changes, ends, strict=True):
        yield Stretch(state, begin, end)


def charts(names: plot.Names, scenario: Scenario, timelines: Timelines) -> list[Markup]:
    """A chart for each mode whose timeline has a request of the most urgent program."""
    urgent, _ = urgent_and_other(scenario)
    found = [
        (each, request) for each in timelines if (request := typical(each, urgent)) is not None
    ]
    lengths = [request.ended - request.due for _, request in found]
    # All charts share one scale, so that long looks long, unless short ones become unreadable.
    shared = bool(found) and max(lengths) <= min(lengths) * _SHARED
    notes = [_note(each) for each, _ in found]
    return [
        _chart(
            names, scenario, each, request, max(lengths) if shared else lengths[at],
            # The charts follow each other, so that each note is read once.
            notes[at] if notes[at] not in notes[:at] else "",
        )
        for at, (each, request) in enumerate(found)
    ]  # fmt: skip


def why_not(scenario: Scenario, timelines: Timelines) -> str:
    """The reason why there is no chart."""
    urgent, _ = urgent_and_other(scenario)
    if timelines:
        return f"Not shown: the timeline has no complete request of {urgent}."
    return "Not recorded: the run ended earlier, or no mode ran all programs together."


def _chart(
    names: plot.Names,
    scenario: Scenario,
    timeline: Mapping[str, Any],
    request: Request,
    length: float,
    note: str,
) -> Markup:
    """The chart of one request.

    Args:
        length: the length in seconds of a request that would fill the chart.
        note: what explains the chart, below it.
    """
    urgent, _ = urgent_and_other(scenario)
    programs = sorted(
        scenario["programs"], key=lambda name: -scenario["programs"][name]["priority"]
    )
    took = request.ended - request.due
    around = max(length * _AROUND, _AT_LEAST)
    begin, end = request.due - around, request.due + length + around
    x = Linear(1e3 * -around, 1e3 * (length + around))
    hatch = names.new("hatch")
    lanes: list[Child] = []
    texts = []
    for number, program in enumerate(programs):
        inside = [
            Stretch(each.state, max(each.begin, begin), min(each.end, end))
            for each in stretches(timeline, program)
            if each.end > begin and each.begin < end
        ]
        lanes.append(_lane(x, number, program, inside, request.due, hatch))
        lanes.append(_kernels(x, number, program, timeline, request.due))
        texts.append(f"{program} {_in_words(inside, request)}")
    height = _TOP + _ROW * len(programs)
    mode = mode_name(timeline["mode"])
    title = f"One request of {urgent}, {mode}: {words.milliseconds(1e3 * took)}"
    picture = plot.drawing(
        title, f"Until the answer: {'; '.join(texts)}.", height, _hatching(hatch),
        _shade(x, took, height), plot.x_axis(x, "ms since the request was due"), *lanes,
        _moment(x, 0, "due", "end"), _moment(x, 1e3 * took, "answered", "start"),
    )  # fmt: skip
    return plot.figure("timeline", title, note, element("div", picture, class_="plot wide"))


def _note(timeline: Mapping[str, Any]) -> str:
    sampled = timeline["states"]
    what = _SAMPLED.format(1e3 * timeline["sample_seconds"]) if sampled else _SPANS
    return what + (_KERNELS if any(timeline.get("device", {}).values()) else "")


def _in_words(inside: Sequence[Stretch], request: Request) -> str:
    """The time that a program spent in each state, for screen readers."""
    took = request.ended - request.due
    seconds: dict[str, float] = {}
    for each in inside:
        both = min(each.end, request.ended) - max(each.begin, request.due)
        if both > 0:
            seconds[each.state] = min(took, seconds.get(each.state, 0.0) + both)
    parts = [f"{state} for {words.milliseconds(1e3 * each)}" for state, each in seconds.items()]
    return " and ".join(parts) or "idle"


def _lane(
    x: Scale, number: int, program: str, inside: Sequence[Stretch], due: float, hatch: str
) -> Markup:
    top = _TOP + number * _ROW + 20
    line = top + _BAR
    boxes: list[Child] = [
        element("text", element("tspan", program, class_="strong"), x="0%", y=top - 5),
        element("line", x1="0%", x2="100%", y1=line, y2=line, class_="base"),
    ]
    for each in inside:
        if each.state == "idle":
            continue
        left, right = x.at(1e3 * (each.begin - due)), x.at(1e3 * (each.end - due))
        boxes.append(
            element(
                "rect",
                element("title", f"{program}: {each.state} for "
                                 f"{words.milliseconds(1e3 * (each.end - each.begin))}"),
                x=plot.percent(left), y=top, width=plot.percent(right - left), height=_BAR,
                class_=f"state {each.state} lane-{min(number, 3)}",
                fill=f"url(#{hatch})" if each.state == "held" else None,
            )
        )  # fmt: skip
        if right - left > 0.16 and each.state != "busy":
            boxes.append(
                plot.text(
                    each.state, (left + right) / 2, top + _BAR / 2, dy="0.36em",
                    text_anchor="middle", class_=f"inside {each.state}",
                )
            )  # fmt: skip
    return joined(boxes)


def _kernels(x: Scale, number: int, program: str, timeline: Mapping[str, Any], due: float) -> Child:
    """When kernels of the program were on the device, as a thin line below its bar; None: unknown.

    There may be a thousand periods, so they are one path, with the resolution of the screen.
    """
    boxes: list[list[int]] = []
    for span in timeline.get("device", {}).get(program, ()):
        begin, end = (x.at(1e3 * (moment - due)) for moment in span)
        if end <= 0 or begin >= 1:
            continue
        left, right = round(plot.INNER * max(0.0, begin)), round(plot.INNER * min(1.0, end))
        if boxes and left <= boxes[-1][1]:
            boxes[-1][1] = max(right, boxes[-1][1])
        else:
            boxes.append([left, max(right, left + 1)])
    if not boxes:
        return None
    path = element(
        "path",
        element("title", f"{program}: kernels on the device"),
        d="".join(f"M{left} 0h{right - left}v1h{left - right}z" for left, right in boxes),
        class_=f"kernels lane-{min(number, 3)}",
    )
    return element(
        "svg", path, viewBox=f"0 0 {plot.INNER} 1", preserveAspectRatio="none",
        y=_TOP + number * _ROW + 20 + _BAR + 2, width="100%", height=_THIN,
    )  # fmt: skip


def _hatching(name: str) -> Markup:
    return element(
        "defs",
        element(
            "pattern",
            element("rect", width=6, height=6, class_="hatch-ground"),
            element("line", x1=0, y1=0, x2=0, y2=6, class_="hatch"),
            id=name, width=6, height=6, patternUnits="userSpaceOnUse",
            patternTransform="rotate(45)",
        ),
    )  # fmt: skip


def _shade(x: Scale, took: float, height: float) -> Markup:
    left, right = x.at(0), x.at(1e3 * took)
    return element(
        "rect", x=plot.percent(left), y=0, width=plot.percent(right - left), height=height,
        class_="during",
    )  # fmt: skip


def _moment(x: Scale, value: float, label: str, anchor: str) -> Markup:
    at = plot.percent(x.at(value))
    aside = "-6" if anchor == "end" else "6"
    return joined(
        (
            element("line", x1=at, x2=at, y1="0%", y2="100%", class_="moment"),
            element("text", label, x=at, y=12, dx=aside, text_anchor=anchor, class_="strong"),
        )
    )
