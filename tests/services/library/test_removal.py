"""Deleting variants: the right names, the right bytes, and never through a link."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError, UsageError
from qtui.core.library.removal import Mechanism, check_possible, check_unused
from qtui.services.library.library import LocalLibrary
from qtui.services.library.removal import UNDER_WAY_S, LocalRemover
from tests.fakes import make_seen
from tests.services.library.tree import model_image, put_cached, put_model, put_ollama, put_shards, scanned


def remover(*folders: Path) -> LocalRemover:
    return LocalRemover(LocalLibrary(folders))


async def test_a_file_goes_and_only_that(tmp_path: Path) -> None:
    path, other = put_model(tmp_path / "Tiny-Q8_0.gguf"), put_model(tmp_path / "Tiny-Q4_0.gguf", quant="Q4_0")
    removal = await remover(tmp_path).preview(str(path))
    assert [one.path for one in removal.doomed] == [path]
    assert removal.frees == path.stat().st_size
    assert path.exists()
    removed = await remover(tmp_path).remove(removal)
    assert (removed.paths, removed.freed, path.exists(), other.exists()) == ((path,), removal.frees, False, True)


async def test_all_shards_and_all_names_go(tmp_path: Path) -> None:
    paths = put_shards(tmp_path / "set", "Big-Q4_K_M", 3)
    for path in paths:
        (tmp_path / "again").mkdir(exist_ok=True)
        os.link(path, tmp_path / "again" / path.name)
    size = sum(path.stat().st_size for path in paths)
    removal = await remover(tmp_path).preview(str(paths[1]))
    assert len(removal.doomed) == 6
    assert removal.frees == size
    await remover(tmp_path).remove(removal)
    assert await scanned(tmp_path) == []


async def test_a_link_goes_and_what_it_leads_to_outside_stays(tmp_path: Path) -> None:
    outside = put_model(tmp_path / "outside/Tiny-Q8_0.gguf")
    (tmp_path / "own").mkdir()
    link = tmp_path / "own/Tiny-Q8_0.gguf"
    link.symlink_to(outside)
    removal = await remover(tmp_path / "own").preview(str(link))
    assert ([one.path for one in removal.doomed], removal.frees) == ([link], 0)
    await remover(tmp_path / "own").remove(removal)
    assert (link.is_symlink(), outside.exists()) == (False, True)


async def test_a_folder_that_is_a_link_out_of_the_place_is_not_followed(tmp_path: Path) -> None:
    outside = put_model(tmp_path / "outside/Tiny-Q8_0.gguf")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/sub").symlink_to(tmp_path / "outside")
    removal = await remover(tmp_path / "own").preview(str(tmp_path / "own/sub/Tiny-Q8_0.gguf"))
    assert removal.doomed == ()
    assert "leads out of the place" in removal.kept[0][1]
    with pytest.raises(QtuiError, match="leads out"):
        check_possible(removal)
    assert outside.exists()


async def test_a_folder_that_becomes_a_link_after_the_look_is_not_followed(tmp_path: Path) -> None:
    path = put_model(tmp_path / "own/sub/Tiny-Q8_0.gguf")
    removal = await remover(tmp_path / "own").preview(str(path))
    (tmp_path / "own/sub").rename(tmp_path / "outside")
    (tmp_path / "own/sub").symlink_to(tmp_path / "outside")
    with pytest.raises(QtuiError, match="has changed"):
        await remover(tmp_path / "own").remove(removal)
    assert (tmp_path / "outside/Tiny-Q8_0.gguf").exists()


async def test_another_file_under_the_same_name_stays(tmp_path: Path) -> None:
    path = put_model(tmp_path / "Tiny-Q8_0.gguf")
    removal = await remover(tmp_path).preview(str(path))
    put_model(tmp_path / "new.gguf", "Other").replace(path)
    with pytest.raises(QtuiError, match="has changed"):
        await remover(tmp_path).remove(removal)
    assert path.exists()


async def test_a_name_that_nobody_scans_keeps_the_bytes(tmp_path: Path) -> None:
    path = put_model(tmp_path / "own/Tiny-Q8_0.gguf")
    os.link(path, tmp_path / "elsewhere.gguf")
    assert (await remover(tmp_path / "own").preview(str(path))).frees == 0


@pytest.mark.parametrize("shared", [False, True])
async def test_the_cache_is_left_to_huggingface_hub_and_links_to_it_go_too(
    tmp_path: Path, private_home: Path, shared: bool
) -> None:
    hub, digest = private_home / "huggingface/hub", "ab" * 32
    entries = [
        put_cached(hub, "a/b-GGUF", commit * 40, "Tiny-Q8_0.gguf", model_image(), digest=digest, shared=shared)
        for commit in "cd"
    ]
    blob = Path(os.path.realpath(entries[0]))
    (tmp_path / "own").mkdir()
    link = tmp_path / "own/mine.gguf"
    link.symlink_to(entries[0])
    removal = await remover(tmp_path / "own").preview("a/b-GGUF:Q8_0")
    assert {one.path: one.mechanism for one in removal.doomed} == {
        entries[0]: Mechanism.HF_CACHE, entries[1]: Mechanism.HF_CACHE, link: Mechanism.UNLINK,
    }  # fmt: skip
    assert removal.frees == blob.stat().st_size
    await remover(tmp_path / "own").remove(removal)
    assert not any(path.is_symlink() for path in (*entries, link))
    if not shared:  # a store that huggingface_hub has not made has no lists of who uses what; it is left alone then
        assert not blob.exists()


async def test_ollama_is_never_written_to(private_home: Path) -> None:
    blob = put_ollama(private_home / ".ollama/models", "library/tiny", model_image(), tag="3b")
    removal = await remover().preview("tiny:3b")
    assert (removal.doomed, removal.commands) == ((), (("ollama", "rm", "tiny:3b"),))
    with pytest.raises(QtuiError) as caught:
        check_possible(removal)
    assert caught.value.hint == "ollama rm tiny:3b"
    assert (await remover().remove(removal)).paths == ()
    assert blob.exists()


async def test_notes_beside_a_file_of_llama_cpp_go_with_it(private_home: Path) -> None:
    folder = private_home / "xdg_cache_home/llama.cpp"
    path = put_model(folder / "a_b_Tiny-Q8_0.gguf")
    (folder / "a_b_Tiny-Q8_0.gguf.json").write_text("{}")
    (folder / "other.json").write_text("{}")
    removal = await remover().preview(str(path))
    await remover().remove(removal)
    assert [each.name for each in folder.iterdir()] == ["other.json"]


async def test_a_download_under_way_stays_and_an_old_one_goes(tmp_path: Path) -> None:
    path = tmp_path / "Tiny-Q8_0.gguf.part"
    path.write_bytes(b"GGUF")
    now = path.stat().st_mtime
    young = LocalRemover(LocalLibrary([tmp_path]), clock=lambda: now + UNDER_WAY_S - 1)
    assert "downloading it" in (await young.preview(str(path))).kept[0][1]
    old = LocalRemover(LocalLibrary([tmp_path]), clock=lambda: now + UNDER_WAY_S + 1)
    await old.remove(await old.preview(str(path)))
    assert not path.exists()


async def test_what_huggingface_hub_refuses_is_said(private_home: Path) -> None:
    put_cached(private_home / "huggingface/hub", "a/b", "c" * 40, "Tiny-Q8_0.gguf", model_image(), digest="ab" * 32)

    def refuse(cache: Path, paths: Iterable[Path]) -> int:
        raise QtuiError(f"{cache} is damaged", "")

    one = LocalRemover(LocalLibrary(), delete_from_cache=refuse)
    with pytest.raises(QtuiError, match="is damaged"):
        await one.remove(await one.preview("a/b:Q8_0"))


async def test_a_broken_link_can_be_removed(tmp_path: Path) -> None:
    link = tmp_path / "gone-Q8_0.gguf"
    link.symlink_to("nowhere")
    await remover(tmp_path).remove(await remover(tmp_path).preview(str(link)))
    assert not link.is_symlink()


async def test_a_file_outside_every_place_can_be_named_by_its_path(tmp_path: Path) -> None:
    path = put_model(tmp_path / "far/Tiny-Q8_0.gguf")
    removal = await remover().preview(str(path))
    assert [one.path for one in removal.doomed] == [path]


async def test_what_is_loaded_is_refused(tmp_path: Path) -> None:
    path = put_model(tmp_path / "Tiny-Q8_0.gguf")
    removal = await remover(tmp_path).preview(str(path))
    check_unused(removal, [make_seen("s1")])
    with pytest.raises(UsageError, match="loaded by session s2") as caught:
        check_unused(removal, [make_seen("s2", path=str(path))])
    assert caught.value.hint == "qtui stop s2"


async def test_no_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_model(tmp_path / "Tiny-Q8_0.gguf")
    removal = await remover(tmp_path).preview(str(path))

    def unlink(name: str, *, dir_fd: int | None = None) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, unlink})
    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(QtuiError, match="Permission denied"):
        await remover(tmp_path).remove(removal)
