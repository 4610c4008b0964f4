from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qtui.services.hub.copies import local_copies
from tests.fakes import make_variant

SHA = "a" * 64
OTHER = "b" * 64


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one repository in a Hugging Face cache."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "models--acme--Model-GGUF"
    (folder / "blobs").mkdir(parents=True)
    return folder


def snapshot(cache: Path, commit: str, name: str, digest: str, content: bytes) -> Path:
    blob = cache / "blobs" / digest
    blob.write_bytes(content)
    path = cache / "snapshots" / commit / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(blob)
    return path


def test_nothing_here(cache: Path) -> None:
    assert local_copies("acme/Model-GGUF", ()) == []
    assert local_copies("acme/Other", ()) == []


def test_files_of_the_cache_tell_their_digest(cache: Path) -> None:
    path = snapshot(cache, "1" * 40, "sub/a-Q4_0.gguf", SHA, b"12345")
    (copy,) = local_copies("acme/Model-GGUF", ())
    assert (copy.path, copy.here, copy.size, copy.sha256, copy.partial) == ("sub/a-Q4_0.gguf", path, 5, SHA, False)


def test_the_digest_is_the_blobs_also_where_blobs_are_shared(cache: Path) -> None:
    path = snapshot(cache, "1" * 40, "a.gguf", SHA, b"")
    shared = cache.parent / "blobs" / "cd" / "cdef"
    shared.parent.mkdir(parents=True)
    shared.write_bytes(b"123")
    blob = path.resolve()
    blob.unlink()
    blob.symlink_to(shared)
    (copy,) = local_copies("acme/Model-GGUF", ())
    assert (copy.sha256, copy.size) == (SHA, 3)


def test_the_current_commit_goes_before_older_ones(cache: Path) -> None:
    snapshot(cache, "1" * 40, "a.gguf", SHA, b"old")
    snapshot(cache, "2" * 40, "a.gguf", OTHER, b"new")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("1" * 40)
    assert [copy.sha256 for copy in local_copies("acme/Model-GGUF", ())] == [SHA]


def test_begun_downloads(cache: Path, tmp_path: Path) -> None:
    (cache / "blobs" / f"{SHA}.part").write_bytes(b"12")
    (cache / "blobs" / f"{SHA}.part.json").write_bytes(b"{}")
    (cache / "blobs" / f"{OTHER}.12345678.incomplete").write_bytes(b"123")
    own = tmp_path / "models" / ".qtui"
    own.mkdir(parents=True)
    (own / f"{'c' * 64}.part").write_bytes(b"1234")
    found = local_copies("acme/Model-GGUF", (), [tmp_path / "models"])
    assert [(copy.sha256, copy.size, copy.partial) for copy in found] == [
        (SHA, 2, True),
        (OTHER, 3, True),
        ("c" * 64, 4, True),
    ]


def test_a_plain_folder_of_downloads(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "models" / "acme" / "Model-GGUF" / "sub" / "a.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1")
    (copy,) = local_copies("acme/Model-GGUF", (), [tmp_path / "models"])
    assert (copy.path, copy.sha256) == ("sub/a.gguf", "")


def test_variants_of_the_library(cache: Path, tmp_path: Path) -> None:
    for name in ("Tiny-Q8_0.gguf", "Tiny-Q4_0.gguf", "Tiny-Q2_K.gguf"):
        (tmp_path / name).write_bytes(b"123")
    ours = make_variant(quant="Q8_0", folder=tmp_path, repository="Acme/model-gguf")
    unknown = make_variant(quant="Q4_0", folder=tmp_path)
    others = make_variant(quant="Q2_K", folder=tmp_path, repository="other/Model")
    remote = replace(unknown, address="acme/Model-GGUF/x.gguf")
    found = local_copies("acme/Model-GGUF", [ours, unknown, others, remote])
    assert [(copy.path, copy.guessed) for copy in found] == [("Tiny-Q8_0.gguf", False), ("Tiny-Q4_0.gguf", True)]
