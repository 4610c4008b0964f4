from __future__ import annotations

from pathlib import PurePosixPath

from qtui.core.gguf.shards import ShardSet, group


def grouped(*names: str) -> list[ShardSet[PurePosixPath]]:
    return group([PurePosixPath(name) for name in names])


def test_single_files_stand_alone() -> None:
    sets = grouped("a/x.gguf", "a/y.gguf", "b/x.gguf")
    assert [(s.complete, s.problem, s.total, s.missing) for s in sets] == [(True, "", 1, ())] * 3


def test_shards_come_together_in_order() -> None:
    (one,) = grouped("m-00003-of-00003.gguf", "m-00001-of-00003.gguf", "m-00002-of-00003.gguf")
    assert [path.name[2:7] for path in one.paths] == ["00001", "00002", "00003"]
    assert one.complete
    assert one.problem == ""


def test_an_incomplete_set_says_what_is_missing() -> None:
    (one,) = grouped("m-00001-of-00003.gguf", "m-00003-of-00003.gguf")
    assert not one.complete
    assert one.problem == "2 of 3 shards here"
    assert one.missing == (2,)


def test_folders_names_and_totals_keep_sets_apart() -> None:
    sets = grouped(
        "a/m-00001-of-00002.gguf", "b/m-00002-of-00002.gguf", "a/m-00001-of-00003.gguf", "a/n-00002-of-00002.gguf"
    )
    assert [one.problem for one in sets] == [
        "1 of 2 shards here", "1 of 2 shards here", "1 of 3 shards here", "1 of 2 shards here",
    ]  # fmt: skip


def test_other_spellings_of_shards() -> None:
    assert grouped(*(f"g-IQ3_XS-split-{n:05}-of-00002.gguf" for n in (1, 2)))[0].complete
    assert grouped(*(f"z.Q4_K_M.gguf-{n:05}-of-00002" for n in (1, 2)))[0].complete
    mixed = grouped("g-split-00001-of-00002.gguf", "g-00001-of-00002.gguf", "g-00002-of-00002.gguf")
    assert sum(len(one.paths) for one in mixed) == 3
    assert sum(one.complete for one in mixed) == 1


def test_raw_parts_are_never_complete() -> None:
    (numbered,) = grouped("m.Q8_0.gguf.part1of2", "m.Q8_0.gguf.part2of2")
    assert not numbered.complete
    assert numbered.problem == "raw parts (2 of 2 here): they need joining"
    (lettered,) = grouped("m.Q6_K.gguf-split-b", "m.Q6_K.gguf-split-a")
    assert [path.name[-1] for path in lettered.paths] == ["a", "b"]
    assert lettered.problem == "raw parts (2 here): they need joining"
