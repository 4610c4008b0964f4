"""Finding the one variant that a name means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, NoSuchFileError, QtuiError, UsageError
from qtui.core.library.variant import Role
from qtui.services.library.header_cache import HeaderCache
from qtui.services.library.library import LocalLibrary
from qtui.services.library.source import FileSource
from tests.services.library.tree import Opened, model_image, put_cached, put_model, put_shards, put_vocabulary

REPO = "bartowski/Tiny-GGUF"


@pytest.fixture
def cache(private_home: Path) -> Path:
    """A Hugging Face cache with two quants and a projector of one repository."""
    hub = private_home / "huggingface" / "hub"
    for digest, quant in (("d8", "Q8_0"), ("d4", "Q4_K_M")):
        put_cached(hub, REPO, "c1", f"Tiny-{quant}.gguf", model_image(quant=quant), digest=digest)
    image = model_image(quant="Q8_0", arch="clip")
    put_cached(hub, REPO, "c1", "mmproj-Tiny-Q8_0.gguf", image, digest="dm")
    return hub


async def error_of(name: str, *folders: Path) -> QtuiError:
    with pytest.raises(QtuiError) as caught:
        await LocalLibrary(folders).find(name)
    assert caught.value.hint
    assert not any(ord(sign) < 32 for sign in caught.value.message + caught.value.hint)
    return caught.value


async def test_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_model(tmp_path / "Tiny-Q8_0.gguf")
    found = await LocalLibrary().find(str(path))
    assert (found.path, found.model, found.quant, found.source) == (path, "Tiny", "Q8_0", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert await LocalLibrary().find("Tiny-Q8_0.gguf") == found
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (await LocalLibrary().find("~/Tiny-Q8_0.gguf")).path == path


async def test_a_file_of_any_name(tmp_path: Path, cache: Path) -> None:
    blob = cache / f"models--{REPO.replace('/', '--')}/blobs/d8"
    found = await LocalLibrary().find(str(blob))
    assert (found.model, found.quant, found.loadable) == ("Tiny", "Q8_0", True)


@pytest.mark.parametrize("index", [0, 1, 2])
async def test_any_shard_means_the_set(tmp_path: Path, index: int) -> None:
    paths = put_shards(tmp_path, "Big-Q4_K_M", 3)
    put_shards(tmp_path, "Other-Q4_K_M", 3)
    found = await LocalLibrary().find(str(paths[index]))
    assert found.path == paths[0]
    assert found.shards == tuple(paths)
    assert found.loadable


async def test_an_incomplete_set_is_found_and_says_so(tmp_path: Path) -> None:
    paths = put_shards(tmp_path, "Big-Q4_K_M", 3, skip=[3])
    found = await LocalLibrary().find(str(paths[1]))
    assert (found.complete, found.problem) == (False, "2 of 3 shards here")


async def test_a_path_in_the_cache_knows_its_repository(cache: Path) -> None:
    path = cache / f"models--{REPO.replace('/', '--')}/snapshots/c1/Tiny-Q8_0.gguf"
    found = await LocalLibrary().find(str(path))
    assert (found.path, found.repository, found.source) == (path, REPO, "HF cache")


async def test_a_vocabulary_is_found_as_one(tmp_path: Path) -> None:
    found = await LocalLibrary().find(str(put_vocabulary(tmp_path / "ggml-vocab-tiny.gguf")))
    assert (found.role, found.loadable) == (Role.VOCAB, False)


async def test_repository_and_file(cache: Path) -> None:
    found = await LocalLibrary().find(f"{REPO}/Tiny-Q4_K_M.gguf")
    assert (found.quant, found.repository) == ("Q4_K_M", REPO)


async def test_repository_and_quant(cache: Path) -> None:
    for name in (f"{REPO}:Q8_0", f"{REPO.upper()}:q8_0"):
        found = await LocalLibrary().find(name)
        assert (found.quant, found.role, found.path.name) == ("Q8_0", Role.MODEL, "Tiny-Q8_0.gguf")


async def test_only_headers_of_the_repository_are_read(cache: Path, tmp_path: Path) -> None:
    put_model(tmp_path / "own/Other-Q8_0.gguf")
    opened = Opened()
    await LocalLibrary([tmp_path / "own"], open_file=opened).find(f"{REPO}:Q8_0")
    assert all(cache in path.parents for path in opened.paths)


async def test_folders_named_as_a_repository(tmp_path: Path) -> None:
    path = put_model(tmp_path / "models/owner/Tiny-GGUF/Tiny-Q8_0.gguf")
    library = LocalLibrary([tmp_path / "models"])
    assert (await library.find("owner/Tiny-GGUF:Q8_0")).path == path
    assert (await library.find("owner/Tiny-GGUF/Tiny-Q8_0.gguf")).path == path


async def test_a_mark_may_be_left_out_where_it_is_clear(private_home: Path) -> None:
    hub = private_home / "huggingface" / "hub"
    put_cached(hub, REPO, "c", "Tiny-UD-Q4_K_XL.gguf", model_image(quant="Q4_K_M"), digest="d4")
    assert (await LocalLibrary().find(f"{REPO}:Q4_K_XL")).quant == "UD-Q4_K_XL"


async def test_an_existing_path_wins(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_model(tmp_path / REPO / "Tiny-Q4_K_M.gguf", "Local")
    monkeypatch.chdir(tmp_path)
    assert (await LocalLibrary().find(f"{REPO}/Tiny-Q4_K_M.gguf")).path == path


async def test_a_quant_that_is_not_here_names_those_that_are(cache: Path) -> None:
    error = await error_of(f"{REPO}:Q2_K")
    assert isinstance(error, UsageError)
    assert error.hint == f"Here are: Q4_K_M, Q8_0; `qtui pull {REPO}:Q2_K` fetches it."


async def test_an_unknown_repository_can_be_fetched(cache: Path) -> None:
    error = await error_of("someone/else:Q8_0")
    assert isinstance(error, UsageError)
    assert "`qtui pull someone/else:Q8_0`" in error.hint
    assert REPO not in error.hint
    with pytest.raises(UsageError) as caught:  # to delete it
        await LocalLibrary().locate("someone/else:Q8_0")
    assert "qtui pull" not in caught.value.hint and f"{REPO}:Q4_K_M" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["someone/else:Q8_0", "", "a/b/c.gguf", "x" * 5000 + "/y", "nul\0/x:Q8_0", "e\x1b[2J/x:Q8"]
)
async def test_names_without_any_file_here(name: str) -> None:
    error = await error_of(name)
    assert len(error.message) < 400


@pytest.mark.parametrize(
    "name",
    [
        "nothing.gguf",
        "./a/b.gguf",
        "/no/such/file.gguf",
        "~/none.gguf",
        "none",
        "a/n.gguf",
        "a/b/n.GGUF",
        "a/b/c/n.gguf",
    ],
)
async def test_a_path_that_does_not_exist(name: str) -> None:
    error = await error_of(name)
    assert isinstance(error, NoSuchFileError)
    assert "no such file" in error.message


async def test_a_folder(tmp_path: Path) -> None:
    assert "directory" in (await error_of(str(tmp_path))).message


async def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert isinstance(await error_of(str(tmp_path / "pipe.gguf")), BadFileError)


async def test_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "gone.gguf").symlink_to(tmp_path / "nowhere")
    assert "gone" in (await error_of(str(tmp_path / "gone.gguf"))).message


async def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "page.gguf").write_bytes(b"<html>" * 99)
    message = (await error_of(str(tmp_path / "page.gguf"))).message
    assert message.startswith(str(tmp_path / "page.gguf"))
    assert "not a GGUF file" in message
    (tmp_path / "empty.gguf").write_bytes(b"")
    assert "empty" in (await error_of(str(tmp_path / "empty.gguf"))).message


async def test_a_truncated_file_says_so(tmp_path: Path) -> None:
    whole = model_image().bytes()
    path = tmp_path / "Tiny-Q8_0.gguf"
    path.write_bytes(whole[:-7])
    error = await error_of(str(path))
    assert isinstance(error, BadFileError)
    assert "truncated: 7 of" in error.message


async def test_a_truncated_shard_says_which(tmp_path: Path) -> None:
    paths = put_shards(tmp_path, "Big-Q4_K_M", 3)
    paths[2].write_bytes(paths[2].read_bytes()[:-40])
    error = await error_of(str(paths[0]))
    assert paths[2].name in error.message
    assert "truncated" in error.message


async def test_a_raw_part_needs_joining(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"Big.Q8_0.gguf.part{number}of2").write_bytes(model_image().bytes()[:300])
    error = await error_of(str(tmp_path / "Big.Q8_0.gguf.part1of2"))
    assert "part 1 of 2" in error.message
    assert "cat" in error.hint


async def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = put_model(tmp_path / "Tiny-Q8_0.gguf")

    def refuse(refused: Path) -> FileSource:
        raise BadFileError(f"{refused}: may not be read", "Check its permissions.") from PermissionError(13, "denied")

    with pytest.raises(BadFileError) as caught:
        await LocalLibrary(cache=HeaderCache(tmp_path / "h.json"), open_file=refuse).find(str(path))
    assert "may not be read" in caught.value.message


async def test_a_name_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[2J-Q8_0.gguf"))
    put_model(path, name="")
    found = await LocalLibrary().find(str(path))
    assert found.path == path
    assert "\x1b" not in found.title


async def test_model_and_quant_as_the_list_shows_them(tmp_path: Path) -> None:
    paths = {quant: put_model(tmp_path / f"a{quant}.gguf", "Tiny Two", quant) for quant in ("Q8_0", "F16")}
    library = LocalLibrary([tmp_path])
    for name, quant in (("Tiny Two:Q8_0", "Q8_0"), ("tiny-two:f16", "F16")):
        assert (await library.find(name)).path == (await library.locate(name)).path == paths[quant]
    error = await error_of("Tiny-Two:Q2_K", tmp_path)
    assert isinstance(error, UsageError)
    assert "no Q2_K of Tiny-Two" in error.message and error.hint == "Here are: F16, Q8_0."
    assert isinstance(await error_of("Large:Q8_0", tmp_path), UsageError)


async def test_a_model_and_quant_that_several_files_are_called(tmp_path: Path) -> None:
    paths = [
        put_model(tmp_path / folder / "Tiny-Q8_0.gguf", block__count=count) for folder, count in (("a", 1), ("b", 2))
    ]
    error = await error_of("Tiny:Q8_0", tmp_path)
    assert isinstance(error, UsageError)
    assert "2 files here are called Tiny:Q8_0" in error.message
    assert all(str(path) in error.hint for path in paths)


async def test_known_copies_of_a_model_and_quant_are_one(private_home: Path) -> None:
    hub = private_home / "huggingface" / "hub"
    for repository in (REPO, "other/Tiny-GGUF"):
        put_cached(hub, repository, "c1", "Tiny-Q8_0.gguf", model_image(), digest="d" * 64)
    assert (await LocalLibrary().find("Tiny:Q8_0")).path.name == "Tiny-Q8_0.gguf"


async def test_a_name_of_no_file_is_told_from_a_bad_file(tmp_path: Path) -> None:
    assert isinstance(await error_of("Tiny", tmp_path), NoSuchFileError)
    (tmp_path / "bad.gguf").write_bytes(b"no model")
    assert not isinstance(await error_of(str(tmp_path / "bad.gguf")), NoSuchFileError)


async def test_a_file_of_a_repository_can_be_fetched_where_no_folder_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "`qtui pull 'acme/big/a b.gguf'`" in (await error_of("acme/big/a b.gguf")).hint
    (tmp_path / "acme").mkdir()
    assert "qtui pull" not in (await error_of("acme/big/a b.gguf")).hint
