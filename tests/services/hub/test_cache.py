"""Deleting from a Hugging Face cache of both layouts, by huggingface_hub itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError
from qtui.services.hub.cache import delete_cached
from tests.services.library.tree import model_image, put_cached, set_main

REPO, DIGEST, COMMIT, OLDER = "a/Tiny-GGUF", "ab" * 32, "c" * 40, "d" * 40


def test_the_blob_goes_with_its_last_entry(tmp_path: Path) -> None:
    one = put_cached(tmp_path, REPO, COMMIT, "Tiny-Q8_0.gguf", model_image(), digest=DIGEST)
    two = put_cached(tmp_path, REPO, OLDER, "Tiny-Q8_0.gguf", model_image(), digest=DIGEST)
    other = put_cached(tmp_path, REPO, COMMIT, "Tiny-Q4_0.gguf", model_image(quant="Q4_0"), digest="cd" * 32)
    set_main(tmp_path, REPO, COMMIT)
    blob = Path(os.path.realpath(one))
    size = blob.stat().st_size
    assert delete_cached(tmp_path, [one]) == 0
    assert (one.is_symlink(), two.exists(), blob.exists()) == (False, True, True)
    assert delete_cached(tmp_path, [two]) == size
    assert (blob.exists(), other.exists()) == (False, True)


def test_a_file_that_it_does_not_know_is_refused_and_nothing_goes(tmp_path: Path) -> None:
    one = put_cached(tmp_path, REPO, COMMIT, "Tiny-Q8_0.gguf", model_image(), digest=DIGEST)
    with pytest.raises(QtuiError, match="does not list"):
        delete_cached(tmp_path, [one, tmp_path / "models--a--Tiny-GGUF/snapshots" / COMMIT / "no.gguf"])
    assert one.exists()


def test_a_folder_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QtuiError):
        delete_cached(tmp_path / "none", [tmp_path / "none/x.gguf"])
