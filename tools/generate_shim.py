"""Generates the sources of a driver shim from its symbol list and its hook list.

    generate_shim.py [--machine M] [--generation N] [--hooks-only] [--export NAME]
                     FOLDER OUT_FOLDER

FOLDER has symbols.txt and hooks.txt; the first lines of both describe their format. With a
generation, such as 6, symbols that list releases are left out unless one of these is a 6.x.
OUT_FOLDER gets forward.S (every function as a tail jump, data, the slots and their first targets),
hooks.c (the code around hooked calls), names.c, ids.h and exports.map, and for tests hooked.h with
the names of the hooked functions. The id of a symbol is its position in the sorted list. With
--hooks-only, only the hooks are exported, for a library that accompanies the driver library and
does not replace it. --export adds a name that other sources define to the exports.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NamedTuple

# By kind: the counter, and the suffix of the functions of hooks.h that run around the call.
KINDS = {
    "launch": ("LAUNCHES", "launch"),
    "graph": ("GRAPH_LAUNCHES", "graph"),
    "graph_change": ("OTHER", "graph_change"),
    "copy": ("COPIES", "copy"),
    "copy_wait": ("COPIES", "copy_wait"),
    "memset": ("MEMSETS", "memset"),
    "alloc": ("ALLOCATIONS", "alloc"),
    "managed": ("ALLOCATIONS", "managed"),
    "array": ("ALLOCATIONS", "array"),
    "alloc_node": ("OTHER", "alloc_node"),
    "any_node": ("OTHER", "any_node"),
    "old_alloc": ("ALLOCATIONS", "plain"),
    "create": ("ALLOCATIONS", "create"),
    "free": ("FREES", "free"),
    "free_wait": ("FREES", "free_wait"),
    "free_array": ("FREES", "free_array"),
    "release": ("FREES", "release"),
    "host_alloc": ("HOST_ALLOCATIONS", "plain"),
    "host_free": ("HOST_FREES", "wait"),
    "sync": ("SYNCS", "sync"),
    "sync_all": ("SYNCS", "sync_all"),
    "sync_event": ("SYNCS", "wait"),
    "event": ("EVENTS", "plain"),
    "event_wait": ("EVENTS", "event_wait"),
    "query": ("QUERIES", "plain"),
    "stream_query": ("QUERIES", "stream_query"),
    "stream_create": ("OTHER", "plain"),
}
# Kinds whose functions need the terms of KEY; those of ALLOCATING may refuse the call or repeat it.
MEMORY = {
    "alloc", "managed", "create", "free", "free_wait", "release", "retain", "map", "unmap",
    "memory_info", "size", "context_open", "array", "free_array", "alloc_node", "any_node",
}  # fmt: skip
ALLOCATING = {"alloc", "managed", "array", "create", "alloc_node", "any_node", "context_open"}
# Kinds whose KEY is a number of bytes: calls of about one size are one kind of work.
SIZED = {"copy", "memset"}

# By machine: a jump to what a slot has, and a slot's first target, which hands on the slot's id.
FORWARDER = {
    "x86_64": "  jmp *gw_slots+{offset}(%rip)",
    "aarch64": "  adrp x16, gw_slots+{offset}\n  ldr x16, [x16, :lo12:gw_slots+{offset}]\n  br x16",
}
FIRST_TARGET = {
    "x86_64": "  push ${id}\n  jmp gw_first_call",
    "aarch64": "  mov w17, #{id}\n  b gw_first_call",
}

IN_JOB = """
  if (__builtin_expect(gw_any_job, 0)) {{
    gw_admitted(&call, GW_ID_{name}, {kernel});
  }}"""
ATTEMPTS = """gw_word result;
  do {{
    result = gw_allocation_admitted(&call.allocation)
                 ? {real}
                 : GW_OUT_OF_MEMORY;
  }} while (__builtin_expect((int)result == GW_OUT_OF_MEMORY, 0) &&
           gw_allocation_retried(&call.allocation));"""
VARIANT = re.compile(r"(?P<base>.+?)(?P<version>_v\d+)?(?P<thread>_ptsz|_ptds|_spt)?")


class Symbol(NamedTuple):
    """One exported name."""

    name: str
    node: str
    size: int
    """The size in bytes; 0 for a function."""
    releases: tuple[str, ...] = ()
    """The releases of the real library that have the symbol; empty for all."""

    def is_in(self, generation: str) -> bool:
        """Whether the shim of a generation has the symbol."""
        return not self.releases or any(r.split(".")[0] == generation for r in self.releases)


class Hook(NamedTuple):
    """A row of the hook list."""

    name: str
    kind: str
    words: int = 0
    stream: str = "-"
    key: str = "-"


def rows(path: Path) -> list[list[str]]:
    """Reads the fields of every line; comments are left out."""
    lines = (line.split("#")[0].split() for line in path.read_text().splitlines())
    return [fields for fields in lines if fields]


def read_symbols(path: Path) -> list[Symbol]:
    """Reads the symbols: functions first, then data, each sorted by name."""
    symbols = []
    for name, node, *rest in rows(path):
        size = int(rest.pop(0)) if rest and rest[0].isdigit() else 0
        symbols.append(Symbol(name, node, size, tuple(rest)))
    return sorted(symbols, key=lambda symbol: (symbol.size != 0, symbol.name))


def match_hooks(path: Path, functions: list[Symbol], machine: str = "x86_64") -> dict[str, Hook]:
    """Reads the hooks; returns the hook of every function that has one.

    A row of NAME@MACHINE takes the place of the row of NAME there.
    """
    listed = {}
    for title, kind, *rest in sorted(rows(path), key=lambda row: "@" in row[0]):
        name, _, only = title.partition("@")
        if only in ("", machine):
            words = int(rest[0]) if rest else 0
            listed[name] = Hook(name, kind, words, *rest[1:])
    hooks = {}
    for name in (function.name for function in functions):
        found = VARIANT.fullmatch(name)
        assert found is not None
        versioned = found["base"] + (found["version"] or "")
        for candidate in (name, versioned, found["base"]):
            if candidate in listed:
                hooks[name] = listed[candidate]
                break
    unused = listed.keys() - {hook.name for hook in hooks.values()}
    if unused:
        raise SystemExit(f"{path}: no such symbols: {', '.join(sorted(unused))}")
    return hooks


def word(term: str) -> str:
    """The C expression for a STREAM or KEY term."""
    if ":" in term:
        name, *arguments = term.split(":")
        return f"gw_{name}({', '.join(word(each) for each in arguments)})"
    if term.startswith("="):
        return term[1:]
    if "*" in term:
        return " * ".join(word(factor) for factor in term.split("*"))
    low, place = ("(uint32_t)", term[1:]) if term.startswith("u") else ("", term)
    if place.startswith("@"):
        argument, offset = place[1:].split("+")
        return f"{low}gw_at(a{argument}, {offset})"
    if "+" in place:
        argument, offset = place.split("+")
        return f"(a{argument} + {offset})"
    return f"{low}a{place}"


def hook_source(name: str, hook: Hook) -> str:
    """The definition of one hook."""
    numbers = range(1, hook.words + 1)
    parameters = ", ".join(f"gw_word a{n}" for n in numbers) or "void"
    arguments = ", ".join(f"a{n}" for n in numbers)
    types = ", ".join("gw_word" for _ in numbers) or "void"
    default = "PER_THREAD" if name.endswith(("_ptsz", "_ptds", "_spt")) else "LEGACY"
    stream = "0" if hook.stream == "-" else word(hook.stream)
    terms = [] if hook.key == "-" else hook.key.split(",")
    # The key of work on a graph is the handle of the graph, whatever the call.
    mixed = "GW_GRAPHS" if hook.kind.startswith("graph") else f"GW_ID_{name} + 1"
    counted, around = KINDS.get(hook.kind, ("OTHER", hook.kind))
    traced = word(terms[0]) if terms else "0"
    in_job = IN_JOB.format(name=name, kernel=traced) if hook.kind == "launch" else ""
    for term in terms if hook.kind not in MEMORY else ():
        value = f"gw_size_class({word(term)})" if hook.kind in SIZED else word(term)
        mixed = f"gw_mix({mixed}, {value})"
    real = f"((gw_word(*)({types}))gw_slots[GW_ID_{name}])({arguments})"
    made = f"gw_word result = {real};"
    if hook.kind in ALLOCATING:
        made = ATTEMPTS.format(real=real)
    remembered = ""
    if hook.kind in MEMORY:
        remembered = "".join(
            f"\n  call.memory[{at}] = {word(term)};" for at, term in enumerate(terms)
        )
    return f"""GW_EXPORT gw_word {name}({parameters}) {{
  struct gw_call call;
  if (!gw_hook_enter()) {{
    return {real};
  }}
  call.stream = gw_stream({stream}, GW_STREAM_{default});
  call.key = {mixed};
  call.submission.window = NULL;
  gw_count_call(GW_{counted}, call.stream);{remembered}
  if (__builtin_expect(gw_tracing, 0)) {{
    gw_trace_begin(&call.traced, GW_ID_{name}, GW_{counted}, {traced});
  }}
  gw_before_{around}(&call);{in_job}
  {made}
  gw_after_{around}(&call, (int)result);
  gw_count_end(&call, (int)result);
  gw_hook_leave();
  return result;
}}
"""


def hooks_source(hooks: dict[str, Hook]) -> str:
    """hooks.c: the hooks, and the table from functions to hooks."""
    written = [hook_source(name, hook) for name, hook in hooks.items() if hook.kind != "custom"]
    declared = [
        f"extern gw_word {name}();" for name, hook in hooks.items() if hook.kind == "custom"
    ]
    table = "".join(f"    {{GW_ID_{name}, (void *){name}}},\n" for name in hooks)
    return "\n".join(
        [
            '#include "hooks.h"',
            '#include "ids.h"\n',
            *written,
            *declared,
            f"\nconst struct gw_hook gw_hooks[] = {{\n{table}}};",
            f"const unsigned gw_hook_count = {len(hooks)};\n",
        ]
    )


def forward_source(
    functions: list[Symbol], data: list[Symbol], exported: set[str], machine: str
) -> str:
    """forward.S.

    Args:
        exported: the names of the functions to define.
    """
    out = ["  .text\n  .balign 8"]
    for id_, function in enumerate(functions):
        name = function.name
        if name in exported:
            jump = FORWARDER[machine].format(offset=8 * id_)
            out += [
                f"  .globl {name}\n  .type {name}, %function",
                f"{name}:\n{jump}\n  .size {name}, . - {name}",
            ]
        out.append(f".Lfirst{id_}:\n{FIRST_TARGET[machine].format(id=id_)}")
    out.append("  .data\n  .balign 64\n  .globl gw_slots\n  .hidden gw_slots\ngw_slots:")
    out += [f"  .quad .Lfirst{id_}" for id_ in range(len(functions))]
    out.append("  .bss")
    for symbol in data:
        name, size = symbol.name, symbol.size
        out.append(f"  .globl {name}\n  .type {name}, %object\n  .size {name}, {size}")
        out.append(f"  .balign 8\n{name}:\n  .zero {size}")
    out.append('  .section .note.GNU-stack,"",%progbits\n')
    return "\n".join(out)


def exports_map(symbols: list[Symbol], *, only: bool) -> str:
    """The version script for the linker, with all nodes of the real library.

    Args:
        only: whether to hide all other symbols. Otherwise visible symbols are exported without a
            node.
    """
    nodes: dict[str, list[str]] = {}
    for symbol in symbols:
        nodes.setdefault(symbol.node, []).append(symbol.name)
    out = []
    for position, node in enumerate(sorted(nodes)):
        names = "".join(f"    {name};\n" for name in nodes[node])
        rest = "  local:\n    *;\n" if only and position == 0 else ""
        label = "" if node == "-" else f"{node} "
        out.append(f"{label}{{\n  global:\n{names}{rest}}};\n")
    return "".join(out)


def main(
    folder: Path, out: Path, generation: str, *, machine: str, hooks_only: bool, export: list[str]
) -> None:
    """Writes all generated files."""
    known = read_symbols(folder / "symbols.txt")
    callable_ = [symbol for symbol in known if not symbol.size]
    hooks = match_hooks(folder / "hooks.txt", callable_, machine)
    symbols = [symbol for symbol in known if symbol.is_in(generation)]
    functions = [symbol for symbol in symbols if not symbol.size]
    names = [function.name for function in functions]
    hooks = {name: hooks[name] for name in names if name in hooks}
    if hooks_only:
        symbols = [symbol for symbol in symbols if symbol.name in hooks]
    data = [symbol for symbol in symbols if symbol.size]
    forwarded = {symbol.name for symbol in symbols} - set(hooks)
    custom = "".join(f"#define GW_HAS_{name}\n" for name in hooks if hooks[name].kind == "custom")
    ids = "".join(f"  GW_ID_{name},\n" for name in names)
    texts = "".join(f'    "{name}",\n' for name in names)
    out.mkdir(parents=True, exist_ok=True)
    (out / "forward.S").write_text(forward_source(functions, data, forwarded, machine))
    (out / "hooks.c").write_text(hooks_source(hooks))
    (out / "names.c").write_text(
        f'#include "load/resolve.h"\n\nconst char *const gw_names[] = {{\n{texts}}};\n'
    )
    (out / "ids.h").write_text(f"#pragma once\n{custom}enum gw_id {{\n{ids}  GW_ID_COUNT\n}};\n")
    also = [Symbol(name, "-", 0) for name in export]
    (out / "exports.map").write_text(exports_map([*symbols, *also], only=not hooks_only))
    (out / "hooked.h").write_text("".join(f"HOOKED({name})\n" for name in hooks))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--machine", choices=sorted(FORWARDER), default="x86_64")
    parser.add_argument("--generation", default="")
    parser.add_argument("--hooks-only", action="store_true")
    parser.add_argument("--export", action="append", default=[], metavar="NAME")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    main(
        given.folder,
        given.out,
        given.generation,
        machine=given.machine,
        hooks_only=given.hooks_only,
        export=given.export,
    )
