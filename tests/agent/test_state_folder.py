"""The state folder before anything is opened in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.state_folder import StateFolderUnusable, prepare

NOBODY = 65534


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Root may read everything; anybody else is somebody else already."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    for parent in folder.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    return folder


def test_it_is_made_for_us_alone_and_left_clean(tmp_path: Path) -> None:
    prepare(tmp_path / "a" / "state")
    assert (tmp_path / "a" / "state").stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "a" / "state").iterdir()) == []


@pytest.mark.parametrize("name", ["queue.db.lock", "tokens.json", "identity.json", "members.db-wal"])
def test_a_file_that_is_not_ours_is_named_and_left_as_it_was(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"precious")
    prepare(folder)
    (folder / name).chmod(0)
    with as_somebody_else(), pytest.raises(StateFolderUnusable) as caught:
        prepare(folder)
    assert caught.value.params == {"folder": str(folder), "reason": f"{folder / name}: Permission denied"}
    (folder / name).chmod(0o600)
    assert (folder / name).read_bytes() == b"precious"


def test_what_else_lies_there_is_nobodys_business(folder: Path) -> None:
    (folder / "queue.db.backup").write_bytes(b"")
    (folder / "queue.db.backup").chmod(0)
    with as_somebody_else():
        prepare(folder)


@pytest.mark.parametrize("what", ["a file", "no right"])
def test_a_folder_that_is_none(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "state"
    if what == "a file":
        folder.write_text("")
    else:
        folder.mkdir(mode=0o500)
    with as_somebody_else(), pytest.raises(StateFolderUnusable, match=str(folder)):
        prepare(folder)
