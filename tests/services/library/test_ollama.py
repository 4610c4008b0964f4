"""Ollama's store: names from manifests, hashes from blobs, nothing that a manifest can lead astray."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qtui.core.errors import UsageError
from qtui.core.library.owner import Owner
from qtui.core.library.variant import Role
from qtui.services.library.library import LocalLibrary
from qtui.services.library.ollama import LEAST_ORPHAN, model_name
from tests.services.library.tree import model_image, put_ollama, scanned

MODEL_LAYER = "application/vnd.ollama.image.model"


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("registry.ollama.ai", "library", "llama3.2", "3b"), "llama3.2:3b"),
        (("registry.ollama.ai", "someone", "tuned", "latest"), "someone/tuned:latest"),
        (("hf.co", "bartowski", "Tiny-GGUF", "Q4_K_M"), "hf.co/bartowski/Tiny-GGUF:Q4_K_M"),
    ],
)
def test_names_are_those_that_ollama_understands(parts: tuple[str, ...], name: str) -> None:
    assert model_name(parts) == name


async def test_a_blob_is_a_row_by_the_name_of_its_manifest(tmp_path: Path) -> None:
    blob = put_ollama(tmp_path, "library/tiny", model_image(name="", quant="Q4_0"), tag="3b-instruct-q4_0")
    put_ollama(tmp_path, "library/tiny", model_image(name="", quant="Q4_0"), tag="latest")
    (row,) = await scanned(tmp_path)
    assert (row.path, row.quant, row.owner, row.loadable) == (blob, "Q4_0", Owner.OLLAMA, True)
    assert row.model == "tiny-3b-instruct"
    assert row.aliases == ("tiny:3b-instruct-q4_0", "tiny:latest")
    assert row.prints[0].sha256 == blob.name.removeprefix("sha256-")
    assert row.releases == row.size


async def test_projectors_and_adapters_are_kept_apart(tmp_path: Path) -> None:
    put_ollama(tmp_path, "library/seeing", model_image())
    put_ollama(tmp_path, "library/seeing", model_image(arch="clip", name="eye"), kind="projector")
    rows = await scanned(tmp_path)
    assert sorted(row.role for row in rows) == [Role.MMPROJ, Role.MODEL]


async def test_what_is_missing_under_way_or_without_a_name_is_a_row_with_the_reason(tmp_path: Path) -> None:
    gone = put_ollama(tmp_path, "library/gone", model_image())
    gone.unlink()
    (tmp_path / "blobs" / f"sha256-{'1' * 64}-partial").write_bytes(b"x")
    (tmp_path / "blobs" / f"sha256-{'1' * 64}-partial-0").write_bytes(b"{}")
    orphan = tmp_path / "blobs" / f"sha256-{'2' * 64}"
    orphan.write_bytes(model_image(name="Lost").bytes() + bytes(LEAST_ORPHAN))
    (tmp_path / "blobs" / f"sha256-{'3' * 64}").write_bytes(b"a licence" * LEAST_ORPHAN)
    rows = {row.path.name[7:]: row for row in await scanned(tmp_path)}
    assert len(rows) == 3
    assert rows[gone.name[7:]].problem.startswith("its blob is not there")
    assert rows["1" * 64 + "-partial"].problem.startswith("partial: ")
    assert (rows["2" * 64].model, rows["2" * 64].aliases) == ("Lost", ())


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b'{"layers": 3}',
        b'{"layers": [3, {"mediaType": 1}, {"mediaType": "application/vnd.ollama.image.model"}]}',
        json.dumps(
            {"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../x"}]}
        ).encode(),
        b"[" * 100_000,
        b" " * (2 << 20),
    ],
    ids=["empty", "a list", "no layers", "no text", "a path", "deep", "huge"],
)
async def test_a_manifest_that_makes_no_sense_names_nothing(tmp_path: Path, manifest: bytes) -> None:
    put_ollama(tmp_path, "library/tiny", model_image())
    bad = tmp_path / "manifests/registry.ollama.ai/library/bad/latest"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(manifest)
    (row,) = await scanned(tmp_path)
    assert row.aliases == ("tiny:latest",)


async def test_a_loop_of_links_among_manifests_ends(tmp_path: Path) -> None:
    put_ollama(tmp_path, "library/tiny", model_image())
    (tmp_path / "manifests/registry.ollama.ai/library/loop").symlink_to(tmp_path / "manifests")
    (row,) = await scanned(tmp_path)
    assert row.aliases == ("tiny:latest",)


async def test_hostile_names_are_cleaned(tmp_path: Path) -> None:
    put_ollama(tmp_path, "library/ti\x1b[2Jny", model_image(name=""))
    (row,) = await scanned(tmp_path)
    assert "\x1b" not in row.model + row.aliases[0]


async def test_a_model_is_found_by_the_name_that_ollama_gives_it(private_home: Path) -> None:
    blob = put_ollama(private_home / ".ollama/models", "library/tiny", model_image(), tag="3b")
    library = LocalLibrary()
    assert (await library.find("tiny:3b")).path == blob
    with pytest.raises(UsageError):
        await library.find("other/one:4b")
