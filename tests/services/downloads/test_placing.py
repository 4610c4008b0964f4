"""Where files come to lie: nothing goes through a link that someone put in the way."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, QtuiError
from tests.services.downloads.place import NAME, Place, noise

NESTED = "UD-Q4_K_XL/Big-UD-Q4_K_XL.gguf"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("where", ["blobs", "snapshots", "commit", "folder", "refs"])
def test_a_linked_folder_in_a_repository_of_the_cache_is_not_entered(place: Place, elsewhere: Path, where: str) -> None:
    place.repository.commit({NESTED: noise(999)})
    root = place.landing().root
    link = {
        "blobs": root / "blobs", "snapshots": root / "snapshots", "commit": root / "snapshots" / place.commit,
        "folder": root / "snapshots" / place.commit / "UD-Q4_K_XL", "refs": root / "refs",
    }[where]  # fmt: skip
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    ran = place.run(place.job(NESTED))
    assert isinstance(ran.error, BadFileError) and "a link stands where a folder should be" in ran.error.message
    assert list(elsewhere.iterdir()) == []
    assert place.hub.requests() == []


@pytest.mark.parametrize("where", ["acme", "acme/Tiny-GGUF", "acme/Tiny-GGUF/UD-Q4_K_XL", ".qtui"])
def test_a_linked_folder_below_a_plain_folder_is_not_entered(
    place: Place, elsewhere: Path, tmp_path: Path, where: str
) -> None:
    place.repository.commit({NESTED: noise(999)})
    folder = tmp_path / "models"
    (folder / where).parent.mkdir(parents=True)
    (folder / where).symlink_to(elsewhere)
    ran = place.run(replace(place.job(NESTED), folder=str(folder)))
    assert isinstance(ran.error, BadFileError) and "a link stands where a folder should be" in ran.error.message
    assert list(elsewhere.iterdir()) == []
    assert place.hub.requests() == []


def test_a_file_where_a_folder_should_be_is_told(place: Place) -> None:
    root = place.landing().root
    root.mkdir(parents=True)
    (root / "blobs").write_text("mine")
    ran = place.run()
    assert isinstance(ran.error, BadFileError) and "a file stands where" in ran.error.message
    assert (root / "blobs").read_text() == "mine"


def test_a_cache_on_another_disk_is_reached_by_a_link(place: Place, elsewhere: Path) -> None:
    """Users link the whole cache, or one repository of it, to a disk with more room; that stays possible."""
    place.cache.parent.mkdir(parents=True, exist_ok=True)
    place.cache.symlink_to(elsewhere)
    assert place.run().error is None
    assert place.is_right()
    assert (elsewhere / "models--acme--Tiny-GGUF" / "blobs").is_dir()


def test_a_linked_file_under_the_final_name_is_replaced_and_not_written_through(
    place: Place, elsewhere: Path, tmp_path: Path
) -> None:
    victim = elsewhere / "victim"
    victim.write_bytes(b"precious")
    folder = tmp_path / "models"
    target = folder / "acme" / "Tiny-GGUF" / NAME
    target.parent.mkdir(parents=True)
    target.symlink_to(victim)
    assert place.run(replace(place.job(), folder=str(folder))).error is None
    assert victim.read_bytes() == b"precious"
    assert not target.is_symlink() and target.stat().st_size == place.remote().size


def test_a_name_in_the_snapshot_that_leads_elsewhere_is_set_right(place: Place, elsewhere: Path) -> None:
    landing = place.landing()
    assert landing.link is not None
    landing.link.parent.mkdir(parents=True)
    landing.link.symlink_to(elsewhere / "other")
    assert place.run().error is None
    assert place.is_right()
    assert not landing.link.readlink().is_absolute()


def test_without_links_the_name_is_the_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """exFAT, and Windows without leave: huggingface_hub puts the file itself into the snapshot there."""

    def refuse(*_arguments: object, **_more: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert place.run().error is None
    landing = place.landing()
    assert landing.link is not None and landing.link.is_file() and not landing.link.is_symlink()
    place.hub.clear()
    assert place.run().error is None
    assert place.hub.requests() == [], "it is found there and compared"


def test_a_folder_that_cannot_be_written_is_told(place: Place, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    ran = place.run(replace(place.job(), folder=str(blocker / "models")))
    assert isinstance(ran.error, QtuiError) and "cannot write" in ran.error.message


def test_files_have_the_permissions_that_the_user_gives_new_files(place: Place) -> None:
    before = os.umask(0o027)
    try:
        assert place.run().error is None
    finally:
        os.umask(before)
    assert place.landing().final.stat().st_mode & 0o777 == 0o640
