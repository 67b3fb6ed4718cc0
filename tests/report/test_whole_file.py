"""A file that is there whole or not at all."""

import errno
import os
import stat

import pytest

from paypro_async.report.whole_file import put_whole


def test_it_stands_there_when_the_block_has_ended(tmp_path) -> None:
    """Not before; and only its owner can read it."""
    path = tmp_path / "f"
    with put_whole(path) as part:
        part.write_text("all of it")
        assert not path.exists()

    assert path.read_text() == "all of it"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_its_name_may_be_as_long_as_a_name_can_be(tmp_path) -> None:
    """What is written first has another one."""
    with put_whole(tmp_path / ("f" * 255)) as part:
        part.write_text("x")
    assert [len(one.name) for one in tmp_path.iterdir()] == [255]


def test_its_owner_may_read_it_whatever_the_umask_says(tmp_path) -> None:
    """And nobody else."""
    before = os.umask(0o777)
    try:
        with put_whole(tmp_path / "f") as part:
            part.write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


@pytest.mark.parametrize("replace", [False, True])
def test_an_error_in_the_block_leaves_nothing(tmp_path, replace: bool) -> None:
    """No file, no part of one; what stood there before stays."""
    path = tmp_path / "f"
    if replace:
        path.write_text("before")
    with pytest.raises(RuntimeError), put_whole(path, replace=replace) as part:  # noqa: PT012  it is the block
        part.write_text("half")
        raise RuntimeError

    assert [one.read_text() for one in tmp_path.iterdir()] == (["before"] if replace else [])


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_what_was_put_there_meanwhile_is_not_replaced(tmp_path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """Also on a file system that knows no links."""
    path = tmp_path / "f"
    if not links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(FileExistsError, match=r"'.*f'"), put_whole(path):
        path.write_text("theirs")

    assert [one.read_text() for one in tmp_path.iterdir()] == ["theirs"]


def test_without_links_it_is_put_there_too(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a renaming."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    with put_whole(tmp_path / "f") as part:
        part.write_text("all of it")

    assert [one.read_text() for one in tmp_path.iterdir()] == ["all of it"]


@pytest.mark.parametrize("replace", [False, True])
def test_the_file_and_its_folder_are_on_the_disk(tmp_path, monkeypatch: pytest.MonkeyPatch, replace: bool) -> None:
    """In this order: first what it holds, then its name."""
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with put_whole(tmp_path / "f", replace=replace) as part:
        part.write_text("x")

    assert synced == ["file", "folder"]
