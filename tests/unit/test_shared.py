"""The group that GIVEWAY_SHARED names, and giveway's own files in a shared folder."""

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path

import pytest

from giveway.errors import PageError, UsageError
from giveway.page import folder

MINE = os.getegid()


@pytest.mark.parametrize(
    "given", ["no-such-group", "-1", "4294967295", "99999999999999999999", "a\0b", "٣", ":"]
)
def test_a_group_that_does_not_exist_is_named(given: str) -> None:
    with pytest.raises(UsageError, match="no such group"):
        folder.resolve({"GIVEWAY_SHARED": given})


def test_a_name_becomes_a_number() -> None:
    for given in (grp.getgrgid(MINE).gr_name, str(MINE)):
        environ = {"GIVEWAY_SHARED": given}
        folder.resolve(environ)
        assert environ == {"GIVEWAY_SHARED": str(MINE)}
    empty = {"GIVEWAY_SHARED": ""}
    folder.resolve(empty)
    assert empty == {"GIVEWAY_SHARED": ""}


def test_a_group_of_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(UsageError, match="this user is not a member"):
        folder.resolve({"GIVEWAY_SHARED": "4000000000"})


def test_a_shared_folder_and_its_files_have_the_modes_of_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given, modes in (("", (0o700, 0o600)), (str(MINE), (0o2770, 0o660))):
        monkeypatch.setenv("GIVEWAY_SHARED", given)
        made = tmp_path / f"pages-{given}"
        folder.make(made)
        folder.make(made)
        os.close(folder.open_shared(made / "file", os.O_CREAT | os.O_RDWR))
        found = [stat.S_IMODE(path.stat().st_mode) for path in (made, made / "file")]
        assert tuple(found) == modes
    with pytest.raises(PageError, match="of mode 2770 and of group"):
        folder.make(tmp_path / "pages-")
