"""Which rows are copies, which may be, and what deleting them frees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtui.core.library.copies import hashes, mark_copies, to_hash
from qtui.core.library.owner import Owner
from qtui.core.library.variant import FilePrint, Variant
from tests.fakes import make_variant

SAME, OTHER = "a" * 64, "b" * 64


def row(name: str, sha256: str = SAME, *, header: str = "h", size: int = 100, **fields: object) -> Variant:
    plain: dict[str, object] = {"written": 10.0, "releases": size, "prints": (FilePrint(size, header, sha256),)}
    return replace(make_variant(name, size=size), **{**plain, **fields})  # type: ignore[arg-type]


def marked(*rows: Variant) -> dict[str, tuple[str | None, str | None, int]]:
    def short(path: Path | None) -> str | None:
        return None if path is None else path.name.split("-")[0]

    return {
        v.model: (short(v.duplicate_of), short(v.possible_duplicate_of), v.reclaimable) for v in mark_copies(rows)
    }  # fmt: skip


def test_the_one_in_its_owners_cache_is_kept_else_the_oldest() -> None:
    assert marked(row("a", written=1.0), row("b", written=9.0, owner=Owner.HF), row("c", written=5.0)) == {
        "a": ("b", None, 100), "b": (None, None, 0), "c": ("b", None, 100),
    }  # fmt: skip
    assert marked(row("a", written=9.0), row("b", written=1.0)) == {"a": ("b", None, 100), "b": (None, None, 0)}


def test_equal_sizes_alone_make_no_copy() -> None:
    assert marked(row("a", OTHER), row("b")) == {"a": (None, None, 0), "b": (None, None, 0)}
    assert marked(row("a", header="x"), row("b")) == {"a": (None, None, 0), "b": (None, None, 0)}


def test_what_is_not_hashed_may_be_a_copy_and_frees_nothing_yet() -> None:
    assert marked(row("a", ""), row("b", owner=Owner.HF)) == {"a": (None, "b", 0), "b": (None, None, 0)}
    assert marked(row("a", "", written=1.0), row("b")) == {"a": (None, None, 0), "b": (None, "a", 0)}


def test_copies_stand_beside_one_that_is_not_known() -> None:
    assert marked(row("a", owner=Owner.HF), row("b"), row("c", "")) == {
        "a": (None, None, 0), "b": ("a", None, 100), "c": (None, "a", 0),
    }  # fmt: skip


def test_a_copy_whose_bytes_another_name_keeps_frees_nothing() -> None:
    assert marked(row("a", written=1.0), row("b", releases=0))["b"] == ("a", None, 0)


def test_files_without_a_header_and_sets_with_gaps_are_not_compared() -> None:
    nothing = (None, None, 0)
    assert marked(row("a", complete=False), row("b"), row("c", header="")) == dict.fromkeys("abc", nothing)
    assert marked(row("a", size=0), row("b", size=0)) == dict.fromkeys("ab", nothing)


def test_shards_are_copies_when_all_of_them_are() -> None:
    def shards(name: str, second: str) -> Variant:
        return row(name, prints=(FilePrint(50, "h", SAME), FilePrint(60, "i", second)), size=110)

    assert marked(shards("a", OTHER), shards("b", OTHER))["b"] == ("a", None, 110)
    assert marked(shards("a", OTHER), shards("b", SAME))["b"] == (None, None, 0)
    assert hashes(shards("a", "")) is None


def test_only_what_could_be_a_copy_is_hashed_and_the_smallest_first() -> None:
    rows = mark_copies(
        [
            row("a", "", size=300),
            row("b", "", size=300),
            row("c", "", size=200),
            row("d", size=200),
            row("e", "", size=7),
        ]
    )
    assert [each.model for each in to_hash(rows)] == ["c", "a", "b"]
    assert [each.model for each in to_hash(rows, every=True)] == ["e", "c", "a", "b"]


def test_marking_again_forgets_what_was_marked() -> None:
    first = mark_copies([row("a", written=1.0), row("b")])
    assert mark_copies(first[1:])[0].duplicate_of is None
