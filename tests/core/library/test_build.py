"""A variant out of names and headers; the header is believed."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from qtui.core.gguf.reader import read_header
from qtui.core.gguf.shards import group
from qtui.core.library.build import Files, build_variant, quant_label
from qtui.core.library.record import FileRecord, record_of
from qtui.core.library.variant import Role, Variant
from tests.builders.gguf import MemorySource, Tensor, build
from tests.services.library.tree import model_image

GOOD = FileRecord("llama", "Tiny", "Q4_K_M", Role.MODEL, 1000, 562, 4096, 16)


def variant(*paths: str, record: FileRecord = GOOD, repository: str = "") -> Variant:
    (shards,) = group([Path(path) for path in paths])
    sizes = tuple(700 for _ in paths)
    records = tuple(record for _ in paths)
    return build_variant(Files(shards, records, sizes, PurePath(paths[0]), repository=repository))


@pytest.mark.parametrize(
    ("named", "told", "label"),
    [
        ("Q4_K_M", "Q4_K_M", "Q4_K_M"),
        ("UD-Q4_K_XL", "Q4_K_M", "UD-Q4_K_XL"),
        ("UD-TQ1_0", "IQ1_M", "UD-TQ1_0"),
        ("UD-Q2_K_XL", "Q4_K_M", "UD-Q2_K_XL"),
        ("i1-IQ4_XS", "IQ4_XS", "i1-IQ4_XS"),
        ("mix:IQ2_XXS", "Q8_0", "mix:IQ2_XXS"),
        ("Q6_K_L", "Q6_K", "Q6_K_L"),
        ("Q3_K_XL", "Q3_K_L", "Q3_K_XL"),
        ("Q5_K_L", "Q6_K", "Q5_K_L"),
        ("F16", "BF16", "F16"),
        ("Q8_0", "Q4_0", "Q4_0"),
        ("Q4_K_M", "Q5_K_M", "Q5_K_M"),
        ("F16", "Q4_K_M", "Q4_K_M"),
        (None, "Q4_K_M", "Q4_K_M"),
        ("Q4_K_M", "", "Q4_K_M"),
        ("Q4_K_M", "unknown type 99", "Q4_K_M"),
        (None, "unknown type 99", "unknown type 99"),
        (None, "", "?"),
    ],
)
def test_labels(named: str | None, told: str, label: str) -> None:
    assert quant_label(named, told) == label


def test_header_facts_override_the_name() -> None:
    row = variant("/m/Wrong-70B-Q8_0.gguf", record=GOOD)
    assert (row.model, row.quant, row.architecture) == ("Tiny", "Q4_K_M", "llama")


def test_without_a_name_in_the_header_the_file_tells_then_the_repository_then_the_stem() -> None:
    nameless = FileRecord("llama", "", "Q4_K_M", Role.MODEL)
    assert variant("/m/Qwen3-8B-Q4_K_M.gguf", record=nameless).model == "Qwen3-8B"
    assert variant("/m/ggml-model-q4_k.gguf", record=nameless, repository="a/Llava-7B-GGUF").model == "Llava-7B"
    assert variant("/m/ggml-model-q4_k.gguf", record=nameless).model == "ggml-model-q4_k"


def test_sums_over_shards() -> None:
    row = variant(*(f"/m/Big-Q4_K_M-{n:05}-of-00003.gguf" for n in (1, 2, 3)))
    assert (row.shard_count, row.parameters, row.size) == (3, 3000, 2100)
    assert row.bits_per_weight == pytest.approx(8 * 562 / 1000)
    assert row.paths == (row.path,)


def test_an_incomplete_set_has_no_totals() -> None:
    row = variant("/m/Big-Q4_K_M-00001-of-00003.gguf")
    assert (row.parameters, row.bits_per_weight, row.complete, row.loadable) == (None, None, False, False)
    assert row.problem == "1 of 3 shards here"


def test_a_lone_shard_under_another_name_is_told_by_its_header() -> None:
    row = variant("/m/Big-Q4_K_M.gguf", record=FileRecord("llama", "Big", "Q4_K_M", Role.MODEL, 10, 10, shard_count=3))
    assert (row.shard_count, row.complete, row.loadable) == (3, False, False)
    assert row.problem.startswith("one of 3 shards")


def test_types_of_unknown_size_have_no_bits_per_weight() -> None:
    row = variant("/m/a.gguf", record=FileRecord("llama", "a", "", Role.MODEL, 1000, None))
    assert (row.bits_per_weight, row.parameters, row.quant) == (None, 1000, "?")


def test_a_file_that_is_cut_off_is_not_complete() -> None:
    row = variant("/m/a.gguf", record=FileRecord("llama", "a", "Q8_0", Role.MODEL, 1000, 10, problem="truncated: 1"))
    assert (row.complete, row.loadable) == (False, False)


@pytest.mark.parametrize("name", ["x-Q4_0_4_4.gguf", "x-IQ4_KS.gguf"])
def test_what_llama_cpp_cannot_load_says_so(name: str) -> None:
    row = variant(f"/m/{name}", record=FileRecord("llama", "x", "", Role.MODEL))
    assert row.problem
    assert not row.loadable


@pytest.mark.parametrize(
    ("name", "record", "role"),
    [
        ("DeepSeek-Q8_0-chat-v2-imatrix.gguf", GOOD, Role.MODEL),
        ("mmproj-F16.gguf", GOOD, Role.MODEL),
        ("plain-F16.gguf", FileRecord("clip", role=Role.MMPROJ), Role.MMPROJ),
        ("x-embedding-Q8_0.gguf", GOOD, Role.MODEL),
        ("mtp-Qwen3-8B-Q8_0.gguf", GOOD, Role.DRAFT),
        ("mmproj-F16.gguf", FileRecord(problem="the file is empty"), Role.MMPROJ),
        ("x-Q8_0.gguf", FileRecord(problem="the file is empty"), Role.MODEL),
        ("flux-Q8_0.gguf", FileRecord("flux"), Role.UNKNOWN),
    ],
)
def test_roles(name: str, record: FileRecord, role: Role) -> None:
    assert variant(f"/m/{name}", record=record).role is role


def test_names_are_clean() -> None:
    row = variant("/m/e\x1b[2Jvil\udcff-Q4_K_M.gguf", record=FileRecord())
    assert not any(sign in row.title for sign in "\x1b\udcff")
    assert row.path == Path("/m/e\x1b[2Jvil\udcff-Q4_K_M.gguf")


def test_a_record_of_a_whole_and_of_a_short_file() -> None:
    image = model_image()
    record = record_of(read_header(MemorySource(image.bytes()), check_data=False))
    assert record == FileRecord("llama", "Tiny", "Q8_0", Role.MODEL, 2304, 2176 + 1024, 4096, 16)
    short = record_of(read_header(MemorySource(image.bytes()[:-10]), check_data=False))
    assert short.problem == f"truncated: 10 of {image.size} bytes are missing"
    assert short.name == "Tiny"


def test_a_record_of_unknown_types() -> None:
    image = build({"general.architecture": "llama", "llama.block_count": 1}, [Tensor("w", (8,), 200, size_bytes=64)])
    record = record_of(read_header(MemorySource(image.bytes()), check_data=False))
    assert record.tensor_bytes is None
    assert FileRecord.from_json(record.as_json()) == record
