"""Siblings are proven or read whole: every way in which one could be taken for another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.errors import BadFileError
from qtui.core.gguf.partial import NotFetchedError
from qtui.core.gguf.reader import Header, read_header
from qtui.core.gguf.sibling import GUARD, Gap, assemble, gap_of, proven, shift_of, tail_of
from tests.builders.gguf import tiny_model
from tests.hub.content import Content, Sparse
from tests.hub.model_repository import RECIPES, ModelRepository, Shape, model_repository

SHAPE = Shape(vocabulary=20_000, layers=4)


@pytest.fixture(scope="module")
def made() -> ModelRepository:
    return model_repository(shape=SHAPE)


def gap(content: Content) -> Gap:
    found = gap_of(read_header(content), content)
    assert found is not None
    return found


def rebuilt(reference: Content, sibling: Content) -> tuple[Header, int] | None:
    """Read a sibling with only its own head and tail; returns its header and how many bytes of it were fetched."""
    shared = gap(reference)
    head = sibling.read(0, shared.head + 4096)
    shift = shift_of(shared, head, reference)
    if shift is None:
        return None
    begin = tail_of(shared, shift)
    end = read_header(sibling, check_data=False).table_end + 20_000
    tail = sibling.read(begin, end - begin)
    source = assemble(shared, shift, head=head, tail=tail, reference=reference, size=sibling.size)
    if source is None:
        return None
    fetched = len(head) + len(tail)
    while True:
        try:
            header = read_header(source, check_data=False, first_read=4096, most_read=4096)
        except NotFetchedError as missing:
            source.put(missing.start, sibling.read(missing.start, missing.end - missing.start))
            fetched += missing.end - missing.start
        except BadFileError:
            return None
        else:
            return (header, fetched) if proven(header) else None


def test_the_gap_is_the_tokenizer(made: ModelRepository) -> None:
    content = made.files[made.path("Q4_K_M")]
    found, header = gap(content), read_header(content)
    tokens, merges = header.metadata["tokenizer.ggml.tokens"], header.metadata["tokenizer.ggml.merges"]
    assert (found.start, found.end) == (tokens.offset, merges.end)  # type: ignore[union-attr]
    assert content.read(found.start - len(found.marker), len(found.marker)) == found.marker
    assert found.marker.startswith((21).to_bytes(8, "little") + b"tokenizer.ggml.tokens")


def test_small_tokenizers_have_none(made: ModelRepository) -> None:
    source = tiny_model().source()
    assert gap_of(read_header(source), source) is None


@pytest.mark.parametrize("reference", ["Q4_K_M", "BF16", "Q8_0"])
def test_every_quant_is_a_sibling_of_every_other(made: ModelRepository, reference: str) -> None:
    for recipe in RECIPES:
        content = made.files[made.path(recipe.label)]
        found = rebuilt(made.files[made.path(reference)], content)
        assert found is not None, recipe.label
        header, fetched = found
        own = read_header(content)
        assert (header.tensors, dict(header.metadata)) == (own.tensors, dict(own.metadata))
        assert fetched < own.table_end // 2


def test_another_tokenizer_is_none(made: ModelRepository) -> None:
    reference = made.files[made.path("Q4_K_M")]
    for vocabulary in (19_999, 20_001, 32_000):
        other = model_repository(shape=replace(SHAPE, vocabulary=vocabulary), recipes=RECIPES[5:6])
        assert rebuilt(reference, other.files[other.path("Q4_K_M")]) is None


def _header(content: Content) -> bytes:
    return content.read(0, read_header(content, check_data=False).table_end)


def changed(content: Content, old: bytes, new: bytes, size: int | None = None) -> Sparse:
    """Return a file in whose header some bytes are others."""
    header = _header(content)
    assert old in header
    return Sparse(size or content.size, ((0, header.replace(old, new, 1)),))


@pytest.mark.parametrize("moved", [-32, 32, 4096, 1 << 20])
def test_data_that_ends_elsewhere_is_no_proof(made: ModelRepository, moved: int) -> None:
    content = made.files[made.path("Q5_K_M")]
    other = changed(content, b"qwen3", b"qwen3", content.size + moved)
    assert rebuilt(made.files[made.path("Q4_K_M")], other) is None


@pytest.mark.parametrize("longer", [1, 8, 32])
def test_other_merges_shift_the_rest(made: ModelRepository, longer: int) -> None:
    content = made.files[made.path("Q5_K_M")]
    merge = "\u0120w \u0120w1388".encode()
    entry = len(merge).to_bytes(8, "little") + merge
    more = (len(merge) + longer).to_bytes(8, "little") + merge + b"x" * longer
    for size in (content.size, content.size + longer):
        other = Sparse(size, ((0, _header(content).replace(entry, more, 1)),))
        assert rebuilt(made.files[made.path("Q4_K_M")], other) is None


def test_both_ends_of_the_gap_are_compared(made: ModelRepository) -> None:
    reference = made.files[made.path("Q4_K_M")]
    content = made.files[made.path("Q5_K_M")]
    shared = gap(reference)
    first = content.read(shared.start + 8, 3)
    assert rebuilt(reference, changed(content, first, b"xyz")) is None
    header = bytearray(_header(content))
    last = header.rfind(b"w", 0, gap(content).end)
    assert last > gap(content).end - GUARD
    header[last] ^= 1
    assert rebuilt(reference, Sparse(content.size, ((0, bytes(header)),))) is None
