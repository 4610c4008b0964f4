"""A repository's files as rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.core.hub.listing import MAX_ROWS, Listing, list_variants, with_records
from qtui.core.hub.remote import Status
from qtui.core.hub.repository import LocalCopy, Repository, RepositoryFile
from qtui.core.library.record import FileRecord
from qtui.core.library.variant import Role
from tests.fake_hub import FakeHub, make_file

REPOSITORY = Repository("acme/Model-GGUF", "c" * 40, architecture="llama")
PLACE = FakeHub().header_path


def listed(*files: RepositoryFile, copies: tuple[LocalCopy, ...] = (), left_out: int = 0) -> Listing:
    return list_variants(REPOSITORY, files, PLACE, copies, left_out)


def test_rows_come_largest_first_with_what_names_tell() -> None:
    listing = listed(
        make_file("Model-7B-Q4_K_M.gguf", 400), make_file("Model-7B-Q8_0.gguf", 800), make_file("README.md")
    )
    first, second = listing.rows
    assert [row.variant.quant for row in listing.rows] == ["Q8_0", "Q4_K_M"]
    assert (first.key, first.address) == ("Model-7B-Q8_0.gguf", "acme/Model-GGUF/Model-7B-Q8_0.gguf")
    assert first.variant.file == first.address and first.variant.path == PLACE(first.files[0])
    assert (first.variant.model, first.variant.architecture, first.header_read) == ("Model-7B", "llama", False)
    assert (second.size, second.sha256, second.date, second.status) == (
        400,
        second.files[0].sha256,
        1000.0,
        Status.REMOTE,
    )
    assert listing.names == ("README.md",) and listing.files == 3


def test_shards_are_one_row_and_missing_ones_are_told() -> None:
    whole = [make_file(f"BF16/M-BF16-0000{n}-of-00003.gguf", 100, date=float(n)) for n in (3, 1, 2)]
    part = [make_file(f"F16/M-F16-0000{n}-of-00002.gguf", 100) for n in (1,)]
    listing = listed(*whole, *part)
    row, incomplete = listing.rows
    assert (row.size, row.variant.shard_count, row.variant.complete, row.date) == (300, 3, True, 3.0)
    assert [file.path[-15:] for file in row.files] == [f"{n}-of-00003.gguf" for n in (1, 2, 3)]
    assert row.sha256 is None and row.variant.loadable
    assert incomplete.variant.problem == "1 of 2 shards here" and not incomplete.variant.loadable


def test_equal_names_in_two_folders_are_two_rows() -> None:
    assert len(listed(make_file("a/M-Q4_0.gguf"), make_file("b/M-Q4_0.gguf")).rows) == 2


def test_projectors_go_with_the_models_of_their_folder() -> None:
    listing = listed(
        make_file("M-Q4_0.gguf"), make_file("v2/M-Q8_0.gguf"), make_file("mmproj-F32.gguf", 9),
        make_file("mmproj-F16.gguf", 5), make_file("v2/mmproj-BF16.gguf", 5), make_file("M-imatrix.gguf", 3),
    )  # fmt: skip
    assert {row.key: row.projector and row.projector.path for row in listing.rows} == {
        "M-Q4_0.gguf": "mmproj-F16.gguf",
        "v2/M-Q8_0.gguf": "v2/mmproj-BF16.gguf",
    }
    assert [row.variant.role for row in listing.others] == [Role.MMPROJ] * 3 + [Role.IMATRIX]


def test_raw_parts_need_joining_and_drafts_stand_apart() -> None:
    listing = listed(
        make_file("M-Q8_0.gguf.part1of2"), make_file("M-Q8_0.gguf.part2of2"), make_file("mtp-M-Q8_0.gguf", 10),
        make_file("M-Q4_0.gguf", 10), make_file("imatrix.dat", 5), make_file("config.dat", 5),
    )  # fmt: skip
    raw, model = listing.rows
    assert raw.variant.role is Role.RAWPART and "joining" in raw.variant.problem and not raw.variant.loadable
    assert model.variant.loadable
    assert [row.key for row in listing.drafts] == ["mtp-M-Q8_0.gguf"]
    assert [row.key for row in listing.others] == ["imatrix.dat"] and listing.names == ("config.dat",)


def test_labels_that_llama_cpp_does_not_load_say_so() -> None:
    old, fork = listed(make_file("M-Q4_0_4_4.gguf", 9), make_file("M-IQ4_KS.gguf", 8)).rows
    assert "removed" in old.variant.problem and "ik_llama.cpp" in fork.variant.problem


def copy(file: RepositoryFile, **fields: object) -> LocalCopy:
    given: dict[str, object] = {
        "path": file.path,
        "here": Path("/here") / file.path,
        "size": file.size,
        "sha256": file.sha256,
    }
    return LocalCopy(**{**given, **fields})  # type: ignore[arg-type]


FILE = make_file("M-Q4_0.gguf", 100)
FIRST, SECOND = make_file("M-F16-00001-of-00002.gguf", 50), make_file("M-F16-00002-of-00002.gguf", 50)


@pytest.mark.parametrize(
    ("files", "copies", "status", "newer"),
    [
        ((FILE,), (), Status.REMOTE, False),
        ((FILE,), (copy(FILE),), Status.HERE, False),
        ((FILE,), (copy(FILE, sha256=""),), Status.HERE, False),
        ((FILE,), (copy(FILE, sha256="f" * 64),), Status.HERE, True),
        ((FILE,), (copy(FILE, sha256="", size=99),), Status.HERE, True),
        ((FILE,), (copy(FILE, path="", partial=True, size=7),), Status.PARTIAL, False),
        ((FILE,), (copy(FILE, path="", partial=True, sha256="f" * 64),), Status.REMOTE, False),
        ((FILE,), (copy(FILE, sha256="", guessed=True),), Status.HERE, False),
        ((FILE,), (copy(FILE, sha256="", size=99, guessed=True),), Status.REMOTE, False),
        ((FIRST, SECOND), (copy(FIRST), copy(SECOND)), Status.HERE, False),
        ((FIRST, SECOND), (copy(FIRST),), Status.PARTIAL, False),
        ((FIRST, SECOND), (copy(SECOND, path="", partial=True, size=3),), Status.PARTIAL, False),
        ((FIRST, SECOND), (copy(FIRST), copy(SECOND, sha256="f" * 64)), Status.HERE, True),
    ],
)
def test_what_is_here(
    files: tuple[RepositoryFile, ...], copies: tuple[LocalCopy, ...], status: Status, newer: bool
) -> None:
    (row,) = listed(*files, copies=copies).rows
    assert (row.status, row.newer) == (status, newer)
    assert (row.here is not None) == (
        status is Status.HERE or any(not each.partial for each in copies if status is not Status.REMOTE)
    )


def test_headers_go_before_names() -> None:
    listing = listed(make_file("Model-Q4_K_M.gguf", 400), make_file("other.gguf", 100))
    record = FileRecord("gemma3", "Gemma", "Q8_0", Role.MODEL, 1000, 400, 8192, 12)
    read = with_records(listing.rows[0], REPOSITORY, [record], PLACE)
    assert (read.variant.model, read.variant.architecture, read.variant.quant) == ("Gemma", "gemma3", "Q8_0")
    assert (read.variant.parameters, read.variant.bits_per_weight, read.header_read) == (1000, 3.2, True)
    assert read.variant.address == listing.rows[0].address
    moved = listing.with_row(with_records(listing.rows[1], REPOSITORY, [FileRecord("clip", role=Role.MMPROJ)], PLACE))
    assert [row.key for row in moved.others] == ["other.gguf"] and len(moved.rows) == 1
    assert moved.rows[0].projector is not None, "found by its header"


def test_ten_thousand_files() -> None:
    files = [make_file(f"m{n}-Q4_0.gguf", n + 1, number=n) for n in range(10_000)]
    listing = listed(*files, left_out=3)
    assert len(listing.rows) == MAX_ROWS and listing.rows[0].size == 10_000
    assert listing.notes == (
        "3 files with names that cannot be used are left out",
        "8000 of 10000 variants are not shown",
    )
