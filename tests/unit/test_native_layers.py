"""The C code is in layers: a file includes and calls only files that its README lists earlier."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
FOLDERS = ("gate", "gpu")
ITEM = re.compile(r"^\d+\. (.*?): ", re.MULTILINE)
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
# At the beginning of a line, so not the inner names of a struct or a function's body.
DECLARED = re.compile(r"^(?!static|typedef|#)\w[\w\s*()]*?\b(gw_\w+)\([^;{]*\);", re.MULTILINE)
EXTERN = re.compile(r"^extern .*?\b(gw_\w+)(?:\[\w*\])?(?: __attribute__.*)?;", re.MULTILINE)
DEFINED = re.compile(r"^(?!static|extern|#)\w[\w\s*()]*?\b(gw_\w+)\([^;{]*\) \{", re.MULTILINE)


def listed(folder: str) -> list[str]:
    """The modules of a folder, lowest first: paths without an ending."""
    items = ITEM.findall((NATIVE / folder / "README.md").read_text())
    return [name.removesuffix(".h") for item in items for name in re.findall(r"`([^`]+)`", item)]


def sources(folder: str) -> Iterator[tuple[str, str, str]]:
    """Each file's module, ending and text."""
    for path in sorted((NATIVE / folder).rglob("*.[chS]")):
        module = str(path.relative_to(NATIVE / folder).with_suffix(""))
        yield module, path.suffix, path.read_text()


def included(folder: str, module: str, text: str) -> Iterator[str]:
    """The modules of the same folder that a file includes."""
    for name in re.findall(r'^#include "(.+)"', text, re.MULTILINE):
        for base in ((NATIVE / folder / module).parent, NATIVE / folder):
            path = (base / name).resolve()
            if path.exists() and path.is_relative_to(NATIVE / folder):
                yield str(path.relative_to(NATIVE / folder).with_suffix(""))
                break


def offered(files: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """The owner of each name: the header that declares it, else the file that defines it."""
    owners: dict[str, str] = {}
    for wanted in (".c", ".h"):
        for module, ending, text in files:
            if ending == wanted:
                code = COMMENT_OR_STRING.sub("", text)
                found = DEFINED if ending == ".c" else DECLARED
                names = [*found.findall(code), *(EXTERN.findall(code) if ending == ".h" else ())]
                owners.update(dict.fromkeys(names, module))
    return owners


def breaches(order: list[str], uses: Iterable[tuple[str, str]]) -> list[str]:
    """The uses of one module by another that go up."""
    return [f"{user} uses {m}" for user, m in uses if order.index(m) > order.index(user)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_names_every_file_once(folder: str) -> None:
    assert sorted(listed(folder)) == sorted({module for module, _, _ in sources(folder)})


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_include_only_what_stands_before_them(folder: str) -> None:
    uses = [(user, m) for user, _, text in sources(folder) for m in included(folder, user, text)]
    assert len(uses) > 30
    assert breaches(listed(folder), uses) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_call_only_what_stands_before_them(folder: str) -> None:
    """Also by way of a public header, which declares the functions of every layer."""
    files = list(sources(folder))
    owners = offered(files)
    assert len(owners) > 50
    uses = []
    for user, _, text in files:
        code = COMMENT_OR_STRING.sub("", text)
        uses += [
            (user, owners[name]) for name in set(re.findall(r"\bgw_\w+", code)) & owners.keys()
        ]
    assert breaches(listed(folder), uses) == []


def test_a_circle_is_found() -> None:
    uses = [("launch", "lock"), ("lock", "launch"), ("lock", "lock"), ("lock", "state")]
    assert breaches(["state", "lock", "launch"], uses) == ["lock uses launch"]


def test_whose_a_name_is() -> None:
    source = """
/* gw_comment() { */
static int gw_private(void) {
int gw_public(const char *text,
              int (*f)(void)) {
  gw_called(1);
struct gw_mark *gw_of_header(int a) {
"""
    header = """
struct gw_mark *gw_of_header(int a); /* why */
extern struct gw_process gw_process;
extern void *gw_slots[] __attribute__((visibility("hidden")));
static inline int gw_inline(void) {
"""
    assert offered([("page", ".c", source), ("state", ".h", header)]) == {
        "gw_public": "page",
        "gw_of_header": "state",
        "gw_process": "state",
        "gw_slots": "state",
    }
