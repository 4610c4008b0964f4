"""Which names of the Hub become paths on this machine."""

from __future__ import annotations

import pytest

from qtui.core.downloads.download import checked, new_download
from qtui.core.downloads.files import RemoteFile, check_commit, check_file, check_repository
from qtui.core.errors import BadFileError
from qtui.core.text import clean
from tests.core.downloads.fake_port import COMMIT, a_download

SHA = "ab" * 32

REFUSED = (
    "../evil.gguf", "a/../../evil.gguf", "/etc/evil.gguf", "a//b.gguf", "./a.gguf", "a/./b.gguf", "..", "", ".gguf",
    ".git/config", ".git/hooks/x.gguf", "a/.git/x.gguf", ".cache/huggingface/x.gguf", "C:/x.gguf", "a\\..\\x.gguf",
    "a\nb.gguf", "a\x1b[2Jb.gguf", "a\x9bb.gguf", "a\u202eb.gguf", "a\0b.gguf", "-rf.gguf", "~/x.gguf", "$HOME.gguf",
    "CON.gguf", "con", "nul.gguf", "a/LPT1/b.gguf", "a /b.gguf", "a./b.gguf", "x.gguf ", "x.gguf.",
    "x" * 300 + ".gguf", "d/" * 600 + "x.gguf", "model.safetensors", "README.md", "x.gguf.part", "config.json",
    "pickle.bin", "x.gguf/y.sh", "<b>.gguf", 'a"b.gguf', "a|b.gguf", "a*b.gguf", "a?b.gguf", "a;b.gguf", "a`b.gguf",
)  # fmt: skip
TAKEN = (
    "Qwen3-8B-Q4_K_M.gguf", "Q4_K_M/Model-00001-of-00009.gguf", "UD-Q3_K_XL/a b (2).gguf", "imatrix.dat",
    "x.imatrix", "imatrix_unsloth.gguf_file", "model.gguf.part1of2", "model_part_a", "A+B,[v1.0]=x@1~2&3'4#5.GGUF",
)  # fmt: skip


@pytest.mark.parametrize("path", REFUSED)
def test_a_name_that_could_mean_something_else_is_refused(path: str) -> None:
    with pytest.raises(BadFileError) as raised:
        check_file(RemoteFile(path, 1, SHA))
    assert raised.value.message == clean(raised.value.message).replace("\n", "")


@pytest.mark.parametrize("path", TAKEN)
def test_names_that_publishers_use_are_taken(path: str) -> None:
    check_file(RemoteFile(path, 1, SHA))


@pytest.mark.parametrize(("size", "sha256"), [(0, SHA), (-1, SHA), (1 << 60, SHA), (1, ""), (1, "ab"), (1, "AB" * 32)])
def test_a_file_that_is_not_described_is_refused(size: int, sha256: str) -> None:
    with pytest.raises(BadFileError):
        check_file(RemoteFile("a.gguf", size, sha256))


@pytest.mark.parametrize(
    "name", ["", "a", "a/b/c", "../b", "a/..", "a--b/c", "a/b--c", "-a/b", "a/b c", "a/\x1b", "a/b?"]
)
def test_what_is_no_repository_is_refused(name: str) -> None:
    with pytest.raises(BadFileError):
        check_repository(name)


@pytest.mark.parametrize(
    ("commit", "revision"),
    [("main", "main"), (COMMIT[:-1], "main"), (COMMIT, ".."), (COMMIT, "a/../b"), (COMMIT, "/etc"), (COMMIT, "")],
)
def test_what_is_no_commit_or_branch_is_refused(commit: str, revision: str) -> None:
    with pytest.raises(BadFileError):
        check_commit(commit, revision)


def test_a_download_has_one_name_for_the_same_files_to_the_same_place() -> None:
    one = a_download()
    assert one.id == a_download().id
    assert one.id != a_download(folder="/models").id
    assert one.id != a_download(sha256=SHA).id
    assert one.id != a_download("Other-Q4_K_M.gguf", sha256=one.files[0].sha256).id


def test_a_download_of_nothing_or_of_one_name_twice_is_refused() -> None:
    with pytest.raises(BadFileError):
        new_download("acme/Tiny-GGUF", COMMIT, [])
    with pytest.raises(BadFileError, match="twice"):
        new_download("acme/Tiny-GGUF", COMMIT, [RemoteFile("A.gguf", 1, SHA), RemoteFile("a.gguf", 1, SHA)])


def test_a_kept_download_that_was_changed_is_refused() -> None:
    from dataclasses import replace

    one = a_download()
    assert checked(one) == one
    with pytest.raises(BadFileError):
        checked(replace(one, folder="/etc"))
    with pytest.raises(BadFileError):
        checked(replace(one, files=(replace(one.files[0], path="../x.gguf"),)))
