"""Packed results: read as if they lay in the folder, and refused where they are no such thing."""

from __future__ import annotations

import io
import lzma
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from giveway.errors import UsageError
from giveway.report.compare import compare
from giveway.report.load import load, run
from giveway.report.markdown import markdown
from giveway.report.page import page
from giveway.report.perfetto import trace
from giveway.results import archive, result, store
from tests.unit import report_examples
from tests.unit.report_examples import noisy


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Runs of the bench and a result of verify, as the commands leave them."""
    folder = tmp_path / "plain" / "machine"
    report_examples.run(folder, {"dual": noisy(1)})
    report_examples.run(folder / "later", {"dual": noisy(2, slower=1.6)})
    report_examples.run(folder / "before" / "first", {"dual": noisy(3)})
    report_examples.verify(folder / "later")
    return folder


@pytest.fixture
def packed(plain: Path, tmp_path: Path) -> Path:
    """The same, packed, in a folder of the same name."""
    folder = tmp_path / "packed" / "machine"
    folder.mkdir(parents=True)
    archive.pack(plain, folder / archive.NAME)
    (folder / "README.md").write_text("What it shows.\n")
    (folder / "figures.json").write_text("{}\n")
    return folder


def test_a_report_of_packed_results_is_the_same_to_the_byte(plain: Path, packed: Path) -> None:
    assert page(load([packed])) == page(load([plain]))
    assert markdown(load([packed])) == markdown(load([plain]))
    assert trace(load([packed])) == trace(load([plain]))
    assert len(load([packed]).runs) == 2
    assert len(load([packed]).verifies) == 1


def test_a_path_leads_into_packed_results(plain: Path, packed: Path) -> None:
    inside = Path("before", "first")
    assert markdown(load([packed / inside])) == markdown(load([plain / inside]))
    assert [each.path for each in load([packed / "later" / "verify.json"]).verifies] == [
        packed / "later" / "verify.json"
    ]
    for old, new in ((plain, packed), (packed, plain)):
        found = compare(run(old / "before" / "first"), run(new / "later"))
        assert found.regressed
        assert found.to_json() == compare(
            run(plain / "before" / "first"), run(plain / "later")
        ).to_json()  # fmt: skip


def test_what_is_not_in_the_archive_is_said(packed: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is neither a folder nor a file"):
        load([packed / "nowhere"])
    with pytest.raises(UsageError, match=r"README\.md has no result"):
        load([packed / "README.md"])
    with pytest.raises(UsageError, match="nowhere has no result of giveway bench"):
        result.read(packed / "nowhere")


def test_a_missing_readme_changes_nothing(packed: Path) -> None:
    before = markdown(load([packed]))
    (packed / "README.md").unlink()
    (packed / "figures.json").unlink()
    assert markdown(load([packed])) == before


def test_a_folder_beside_the_archive_is_read_as_it_is(packed: Path) -> None:
    report_examples.run(packed / "mine", {"dual": noisy(4)})
    assert result.read(packed / "mine")["complete"]
    assert store.records_of(packed / "mine", "dual") == noisy(4)


def test_an_archive_is_not_written_beside(packed: Path) -> None:
    with pytest.raises(UsageError, match="already holds a result"):
        store.Store(packed, {})


def test_the_same_files_make_the_same_archive(plain: Path, tmp_path: Path) -> None:
    archive.pack(plain, tmp_path / "one")
    shutil.copytree(plain, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1, 1))
    archive.pack(tmp_path / "copy", tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as opened:
        names = opened.getnames()
    assert names == sorted(names)
    assert "before/first/run.json" in names


def test_any_tar_makes_an_archive_that_is_read(plain: Path, packed: Path) -> None:
    with tarfile.open(packed / archive.NAME, "w:xz") as opened:
        opened.add(plain, ".")
    assert markdown(load([packed])) == markdown(load([plain]))


def test_a_changed_archive_is_read_anew(plain: Path, packed: Path) -> None:
    assert len(load([packed]).runs) == 2
    shutil.rmtree(plain / "later")
    archive.pack(plain, packed / archive.NAME)
    assert len(load([packed]).runs) == 1


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_an_archive_that_was_cut_is_damaged(packed: Path, share: float) -> None:
    path = packed / archive.NAME
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UsageError, match=r"raw\.tar\.xz is damaged: "):
        load([packed])


@pytest.mark.parametrize("at", [0, 30, -40, 1000])
def test_an_archive_with_a_wrong_byte_is_damaged(packed: Path, at: int) -> None:
    path = packed / archive.NAME
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"raw\.tar\.xz is damaged: "):
        load([packed])


def test_what_is_compressed_but_no_tar_is_damaged(packed: Path) -> None:
    (packed / archive.NAME).write_bytes(lzma.compress(b"{}" * 1000))
    with pytest.raises(UsageError, match=r"raw\.tar\.xz is damaged: "):
        load([packed])


def test_an_archive_that_is_a_folder_cannot_be_read(packed: Path) -> None:
    (packed / archive.NAME).unlink()
    (packed / archive.NAME).mkdir()
    with pytest.raises(UsageError, match=r"cannot read .*raw\.tar\.xz: Is a directory"):
        load([packed])


def written(packed: Path, change: Callable[[tarfile.TarInfo], None]) -> Path:
    """An archive of one member of one byte that was changed."""
    member = tarfile.TarInfo("run.json")
    member.size = 1
    change(member)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as opened:
        opened.addfile(member, io.BytesIO(b"x") if member.isreg() else None)
    (packed / archive.NAME).write_bytes(lzma.compress(tar.getvalue()))
    return packed


def of(**attributes: object) -> Callable[[tarfile.TarInfo], None]:
    def change(member: tarfile.TarInfo) -> None:
        for name, value in attributes.items():
            setattr(member, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (of(name="../run.json"), "'../run.json' is outside the archive"),
        (of(name="a/../../run.json"), "is outside the archive"),
        (of(name="/etc/run.json"), "'/etc/run.json' is outside the archive"),
        (of(name="\x1b[2J/../x"), r"'\\x1b\[2J/../x' is outside the archive"),
        (of(name="a\x1b[2J"), r"the name 'a\\x1b\[2J' is not printable"),
        (of(name="a\udcff.json"), "is not printable"),
        (of(type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0), "neither a regular file nor"),
        (of(type=tarfile.LNKTYPE, linkname="../../x", size=0), "neither a regular file nor"),
        (of(type=tarfile.FIFOTYPE, size=0), "neither a regular file nor"),
        (of(type=tarfile.CHRTYPE, size=0), "neither a regular file nor"),
    ],
)
def test_a_hostile_archive_is_refused(
    packed: Path, change: Callable[[tarfile.TarInfo], None], says: str
) -> None:
    with pytest.raises(UsageError, match=rf"raw\.tar\.xz is refused: .*{says}"):
        load([written(packed, change)])


def test_a_sparse_file_is_refused(packed: Path) -> None:
    """A sparse file takes no room in an archive, and may claim any size."""
    headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "0",
        "GNU.sparse.size": str(1 << 50),
        "GNU.sparse.numblocks": "1",
        "GNU.sparse.offset": "0",
        "GNU.sparse.numbytes": "1",
    }
    with pytest.raises(UsageError, match=r"refused: 'run\.json' is neither a regular file nor"):
        load([written(packed, of(pax_headers=headers))])


def test_an_archive_that_grows_without_end_is_refused(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1 << 20)
    (packed / archive.NAME).write_bytes(lzma.compress(bytes(2 << 20)))
    with pytest.raises(UsageError, match="refused: it is larger than 1 MiB"):
        load([packed])


def test_an_archive_of_very_many_files_is_refused(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    with pytest.raises(UsageError, match="refused: it holds more than 3 files"):
        load([packed])


def test_an_archive_that_needs_much_memory_is_refused(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_MAX_MEMORY", 1 << 20)
    with pytest.raises(UsageError, match=r"raw\.tar\.xz is damaged: Memory usage limit"):
        load([packed])
