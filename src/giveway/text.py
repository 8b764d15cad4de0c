"""Text that other programs decide, such as names of tasks, on its way to a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """``text`` in one line, with escapes for characters that a terminal would act on.

    These are control characters, line breaks, marks that change the direction of writing, and bytes
    that are not UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
