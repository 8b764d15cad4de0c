"""Packs results for the repository, and computes the figures that documents quote.

python tools/pack_results.py DIR results/NAME    packs the raw records of DIR into results/NAME
python tools/pack_results.py --update            recomputes all figures and the index

After packing, results/NAME has raw.tar.xz. Add a README.md (machine, commit, command, what the run
shows) and a figures.json: machine, commit, command, date, what the run "shows" in one line, and a
list of "figures", each with name, unit, "what" it is and what it is computed "from"
(tools/figures.py). --update adds the values.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from giveway.results import archive

sys.path.insert(0, str(Path(__file__).parents[1]))
from tools import figures

RESULTS: Final = Path(__file__).parents[1] / "results"
DERIVED: Final = ("result.json", "report.html", "README.md", "figures.json", "*.json.gz")
"""Files that are not packed: they are derived from the raw records or kept beside them."""
HEAD: Final = ("machine", "commit", "command", "date", "shows")
MAX_PAGE_BYTES: Final = 20_000
"""The size limit of README.md and of figures.json."""


def folders() -> list[Path]:
    """The folders of all results in the repository."""
    return sorted(path.parent for path in RESULTS.glob(f"*/{archive.NAME}"))


def read(folder: Path) -> dict[str, Any]:
    """Reads the figures.json of a folder."""
    document: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return document


def updated(folder: Path, document: dict[str, Any]) -> dict[str, Any]:
    """The document with the values recomputed from the raw records."""
    return {**document, "figures": [_computed(folder, each) for each in document["figures"]]}


def _computed(folder: Path, figure: dict[str, Any]) -> dict[str, Any]:
    known = {key: figure[key] for key in ("unit", "what", "from")}
    if figure["from"] == figures.BY_HAND:
        return {"name": figure["name"], "value": figure["value"], **known}
    return {"name": figure["name"], **figures.compute(folder, figure["from"]), **known}


def text(document: dict[str, Any]) -> str:
    """The document as JSON, with a line for each figure."""
    head = [f" {json.dumps(key)}: {json.dumps(document[key], ensure_ascii=False)}," for key in HEAD]
    rows = [f"  {json.dumps(each, ensure_ascii=False)}" for each in document["figures"]]
    return "\n".join(["{", *head, ' "figures": [', ",\n".join(rows), " ]", "}", ""])


def index() -> str:
    """The text of results/INDEX.md."""
    rows = [
        f"| [{folder.name}]({folder.name}) | {each['date']} | {each['machine']} | {each['shows']} |"
        for folder in folders()
        for each in [read(folder)]
    ]
    return "\n".join([*_INTRODUCTION, *rows, ""])


_INTRODUCTION: Final = (
    "# Results",
    "",
    "Each folder has a `README.md` (machine, commit, command, what it shows), the figures that are",
    "quoted (`figures.json`, each with what it is computed from) and all raw records"
    " (`raw.tar.xz`).",
    "`giveway report results/NAME` and `giveway compare` read such a folder as it is;",
    "`tar -xf results/NAME/raw.tar.xz` unpacks it. `tools/pack_results.py` writes both.",
    "",
    "| folder | date | machine | what it shows |",
    "|---|---|---|---|",
)


def pack(source: Path, target: Path) -> None:
    """Packs the raw records of a folder without the files derived from them."""
    with tempfile.TemporaryDirectory() as temporary:
        raw = Path(temporary, "raw")
        shutil.copytree(source, raw, ignore=shutil.ignore_patterns(*DERIVED))
        target.mkdir(parents=True, exist_ok=True)
        archive.pack(raw, target / archive.NAME)


def update() -> None:
    """Recomputes all figures and writes the index."""
    for folder in folders():
        document = updated(folder, read(folder))
        (folder / "figures.json").write_text(text(document), encoding="utf-8")
    (RESULTS / "INDEX.md").write_text(index(), encoding="utf-8")


def main(arguments: list[str]) -> int:
    if arguments == ["--update"]:
        update()
    elif len(arguments) == 2:
        pack(Path(arguments[0]), Path(arguments[1]))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
