"""The Hugging Face cache in both layouts, from outside and from inside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qtui.core.library.owner import Owner
from qtui.core.library.variant import Role, Variant
from qtui.services.library.hf_cache import repository_name, repository_of
from tests.builders.gguf import Image
from tests.services.library.tree import model_image, put_cached, put_model, scanned, set_main

REPO = "bartowski/Tiny-GGUF"


async def rows(*folders: Path) -> list[Variant]:
    return await scanned(*folders)


@pytest.mark.parametrize("shared", [False, True])
async def test_one_hop_and_two_hops(tmp_path: Path, shared: bool) -> None:
    path = put_cached(tmp_path, REPO, "c1", "Tiny-Q8_0.gguf", model_image(), digest="ab12", shared=shared)
    (row,) = await rows(tmp_path)
    assert row.path == path
    assert row.repository == REPO
    assert row.source == "HF cache"
    assert (row.model, row.quant, row.problem) == ("Tiny", "Q8_0", "")
    assert row.size == path.stat().st_size


@pytest.mark.parametrize("shared", [False, True])
async def test_one_blob_in_several_snapshots_is_one_row_and_the_newest_names_it(tmp_path: Path, shared: bool) -> None:
    old = put_cached(tmp_path, REPO, "old", "Tiny-Q8_0.gguf", model_image(), digest="ab12", shared=shared)
    new = put_cached(tmp_path, REPO, "new", "Tiny.Q8_0.gguf", model_image(), digest="ab12", shared=shared)
    os.utime(old.parent, (1, 1))
    (row,) = await rows(tmp_path)
    assert row.path == new
    assert set(row.paths) == {old, new}


async def test_the_main_branch_counts_as_newest(tmp_path: Path) -> None:
    main = put_cached(tmp_path, REPO, "main-commit", "a-Q8_0.gguf", model_image(), digest="ab12")
    put_cached(tmp_path, REPO, "pinned", "b-Q8_0.gguf", model_image(), digest="ab12")
    os.utime(main.parent, (1, 1))
    set_main(tmp_path, REPO, "main-commit")
    (row,) = await rows(tmp_path)
    assert row.path == main


async def test_a_blob_that_two_repositories_share_is_one_row(tmp_path: Path) -> None:
    put_cached(tmp_path, "a/x", "c", "Tiny-Q8_0.gguf", model_image(), digest="ab12", shared=True)
    put_cached(tmp_path, "b/y", "c", "Tiny-Q8_0.gguf", model_image(), digest="ab12", shared=True)
    (row,) = await rows(tmp_path)
    assert row.repository == "a/x"
    assert len(row.paths) == 2


async def test_quant_folders_inside_a_snapshot(tmp_path: Path) -> None:
    image = model_image(quant="Q4_K_M")
    put_cached(tmp_path, REPO, "c", "Q4_K_M/model.gguf", image, digest="cd34")
    (row,) = await rows(tmp_path)
    assert row.quant == "Q4_K_M"


@pytest.mark.parametrize(
    "below", [".", "..", "models--bartowski--Tiny-GGUF", "models--bartowski--Tiny-GGUF/snapshots/c"]
)
async def test_recognised_wherever_the_scan_starts(tmp_path: Path, below: str) -> None:
    cache = tmp_path / "hf" / "hub"
    put_cached(cache, REPO, "c", "Tiny-Q8_0.gguf", model_image(), digest="ab12")
    (row,) = await rows(Path(os.path.normpath(cache / below)))
    assert row.repository == REPO


async def test_other_folders_of_the_cache_hold_no_rows(tmp_path: Path) -> None:
    put_cached(tmp_path, REPO, "c", "Tiny-Q8_0.gguf", model_image(), digest="ab12")
    for folder in (".locks/models--x--y", "trees", f"models--{REPO.replace('/', '--')}/.no_exist/c"):
        (tmp_path / folder).mkdir(parents=True)
        model_image().write(tmp_path / folder / "no.gguf")
    model_image().write(tmp_path / f"models--{REPO.replace('/', '--')}/blobs/ab12.lock")
    for kind in ("datasets", "spaces"):
        put_model(tmp_path / f"{kind}--a--b/snapshots/c/no.gguf")
    assert len(await rows(tmp_path)) == 1


async def test_a_link_to_a_deleted_blob_is_a_row_with_a_problem(tmp_path: Path) -> None:
    path = put_cached(tmp_path, REPO, "c", "Tiny-Q8_0.gguf", model_image(), digest="ab12")
    path.resolve().unlink()
    (row,) = await rows(tmp_path)
    assert row.problem == "a link to a file that is gone"
    assert not row.loadable
    assert (row.model, row.quant, row.role) == ("Tiny", "Q8_0", Role.MODEL)


async def test_old_and_new_sets_of_shards_that_share_one(tmp_path: Path) -> None:
    """A repository replaced its second shard: both snapshots are whole sets, the newest first."""
    for commit, second in (("old", "d2"), ("new", "d3")):
        put_cached(tmp_path, REPO, commit, "Big-Q8_0-00001-of-00002.gguf", shard(1), digest="d1")
        put_cached(tmp_path, REPO, commit, "Big-Q8_0-00002-of-00002.gguf", shard(2), digest=second)
    set_main(tmp_path, REPO, "new")
    first, second_row = await rows(tmp_path)
    assert first.complete
    assert second_row.complete
    assert "new" in first.path.parts
    assert "old" in second_row.path.parts


def shard(number: int) -> Image:
    return model_image(name="Big" if number == 1 else "", split__no=number - 1, split__count=2)


async def test_the_known_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_cached(tmp_path / "hub", REPO, "c", "Tiny-Q8_0.gguf", model_image(), digest="ab12")
    assert await scanned() == []
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert len(await scanned()) == 1
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert len(await scanned()) == 1


def test_repository_names() -> None:
    assert repository_name("models--owner--name-with--more") == "owner/name-with--more"
    assert repository_name("models--gpt2") == "gpt2"
    assert repository_of(Path("/c/models--a--b/snapshots/1/d/x.gguf")) == ("a/b", Path("/c/models--a--b/snapshots/1"))
    assert repository_of(Path("/c/models--a--b/blobs/x")) is None
    assert "\x1b" not in repository_name("models--a--\x1b[2J")


async def test_a_download_that_broke_off_is_a_row_with_its_repository(tmp_path: Path) -> None:
    put_cached(tmp_path, REPO, "c", "Tiny-Q8_0.gguf", model_image(), digest="ab12")
    (tmp_path / f"models--{REPO.replace('/', '--')}/blobs/cd34.0123abcd.incomplete").write_bytes(b"GG")
    other = tmp_path / "models--a--safetensors/blobs"
    other.mkdir(parents=True)
    (other / "ef56.0123abcd.incomplete").write_bytes(b"xx")
    _, partial = sorted(await rows(tmp_path), key=lambda row: row.problem)
    assert partial.problem.startswith("partial: ")
    assert (partial.repository, partial.size, partial.loadable) == (REPO, 2, False)


@pytest.mark.parametrize("shared", [False, True])
async def test_the_blobs_name_tells_the_hash_and_what_goes_with_it(tmp_path: Path, shared: bool) -> None:
    digest = "0123456789abcdef" * 4
    put_cached(tmp_path, REPO, "c", "Tiny-Q8_0.gguf", model_image(), digest=digest, shared=shared)
    put_cached(tmp_path, REPO, "d", "Tiny-Q8_0.gguf", model_image(), digest=digest, shared=shared)
    (row,) = await rows(tmp_path)
    assert [each.sha256 for each in row.prints] == [digest]
    assert len(row.paths) == 2
    assert (row.owner, row.releases) == (Owner.HF, row.size)


async def test_the_git_hash_of_a_small_file_is_no_sha256(tmp_path: Path) -> None:
    put_cached(tmp_path, REPO, "c", "Tiny-Q8_0.gguf", model_image(), digest="0123456789abcdef01234567" + "89abcdef" * 2)
    (row,) = await rows(tmp_path)
    assert row.prints[0].sha256 == ""
