"""Draws when each task ran, as SVG: one panel for each policy, one row for each task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from giveway.simulate.parts import SimTask
from giveway.simulate.record import Record, Span

MAX_ROWS: Final = 40
_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
_HELD: Final = "#dddddd"
_LEFT, _WIDTH, _ROW, _HEAD, _FOOT = 170, 1000, 22, 34, 34  # pixels


def draw(panels: Mapping[str, tuple[Sequence[SimTask], Record]]) -> str:
    """The drawing: coloured where a task ran, grey where it was held with work."""
    body: list[str] = []
    top = 0
    for title, (tasks, record) in panels.items():
        body += _panel(title, tasks[:MAX_ROWS], len(tasks), record, top)
        top += _HEAD + _ROW * min(len(tasks), MAX_ROWS) + _FOOT
    size = f'width="{_LEFT + _WIDTH + 30}" height="{top}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>\n"])


def _panel(
    title: str, tasks: Sequence[SimTask], count: int, record: Record, top: int
) -> Iterator[str]:
    more = f" (the first {len(tasks)} of {count} tasks)" if count > len(tasks) else ""
    yield _text(_LEFT, top + 20, title + more, weight="bold")
    programs = list(dict.fromkeys(task.program.name for task in tasks))
    scale = _WIDTH / (record.end_ns - record.begin_ns)
    for row, task in enumerate(tasks):
        y = top + _HEAD + row * _ROW
        yield _text(
            _LEFT - 8, y + 15, f"{_short(task.program.name)} · {task.id.device}", anchor="end"
        )
        colour = _COLOURS[programs.index(task.program.name) % len(_COLOURS)]
        for fill, spans, inset in (
            (_HELD, record.holds.get(task.id, []), 7),
            (colour, record.runs.get(task.id, []), 2),
        ):
            for begin, end in _visible(spans, 1 / scale):
                x = _LEFT + (begin - record.begin_ns) * scale
                yield (
                    f'<rect x="{x:.2f}" y="{y + inset}" width="{(end - begin) * scale:.2f}" '
                    f'height="{_ROW - 2 * inset}" fill="{fill}"/>'
                )
    bottom = top + _HEAD + len(tasks) * _ROW
    yield f'<path d="M{_LEFT} {bottom + 2}h{_WIDTH}" stroke="#888888"/>'
    for tick in range(11):
        x = _LEFT + _WIDTH * tick // 10
        at_ms = (record.begin_ns + (record.end_ns - record.begin_ns) * tick / 10) / 1e6
        yield f'<path d="M{x} {bottom + 2}v4" stroke="#888888"/>'
        yield _text(x, bottom + 18, f"{at_ms:g}" + " ms" * (tick == 10), anchor="middle")


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def _visible(spans: Sequence[Span], pixel_ns: float) -> Iterator[Span]:
    """Merges spans whose gaps are too small to see; a viewer cannot open millions of spans."""
    begin = end = -1
    for span in spans:
        if begin >= 0 and span[0] - end < pixel_ns / 4:
            end = span[1]
            continue
        if begin >= 0:
            yield begin, end
        begin, end = span
    if begin >= 0:
        yield begin, end


def _text(x: int, y: int, text: str, anchor: str = "start", weight: str = "normal") -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" fill="#222222"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'
