"""Our reader against PyPI's `gguf.GGUFReader`, which shares no code with it."""

from __future__ import annotations

import math
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qtui.core.gguf import types
from qtui.core.gguf.reader import ArrayRef, Value, ValueType, read_array, read_header
from qtui.services.library.source import FileSource
from tests.builders.gguf import Scalar, Tensor, Typed, build, tiny_model
from tests.conftest import HEADER_NAMES, SHARED


def compare(path: Path) -> None:
    """Assert that both readers read the same from a file."""
    theirs = gguf.GGUFReader(path)
    with FileSource(path) as source:
        header = read_header(source)
        fields = {key: field for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
        assert list(header.metadata) == list(fields)
        for key, value in header.metadata.items():
            field = fields[key]
            if isinstance(value, ArrayRef):
                assert value.count == len(field.data)
                same(read_array(source, header, value), field.contents() if field.data else [])
            else:
                assert field.types[0].value == kind_of(value, field.types[0].value)
                same([value], [field.contents()])
    assert header.version == theirs.fields["GGUF.version"].contents()
    assert header.big_endian == (theirs.endianess is gguf.GGUFEndian.BIG)
    assert header.alignment == theirs.alignment
    if theirs.tensors:
        assert header.data_offset == theirs.data_offset
    assert [t.name for t in header.tensors] == [t.name for t in theirs.tensors]
    for mine, other in zip(header.tensors, theirs.tensors, strict=True):
        assert mine.shape == tuple(int(extent) for extent in other.shape)
        assert (mine.type_id, mine.elements, mine.size_bytes) == (other.tensor_type, other.n_elements, other.n_bytes)
        assert header.data_offset + mine.offset == other.data_offset


def kind_of(value: Value, their_kind: int) -> int:
    """Return their type when a value of ours is of the Python type that belongs to it."""
    belongs = {ValueType.BOOL: bool, ValueType.STRING: str, ValueType.FLOAT32: float, ValueType.FLOAT64: float}
    return their_kind if type(value) is belongs.get(ValueType(their_kind), int) else -1


def same(mine: list[Scalar], theirs: list[object]) -> None:
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs, strict=True):
        assert one == other or (isinstance(one, float) and isinstance(other, float) and math.isnan(one + other))


@pytest.mark.parametrize("name", HEADER_NAMES)
def test_every_ghost(name: str, ghosts: dict[str, Path]) -> None:
    compare(ghosts[name])


def test_the_demo_model(demo_f16: Path) -> None:
    compare(demo_f16)


def test_a_file_with_every_type_of_value(tmp_path: Path) -> None:
    compare(tiny_model().write(tmp_path / "tiny.gguf"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama-spm", "gpt-2"])
def test_real_vocabularies(name: str) -> None:
    path = SHARED / "headers" / f"ggml-vocab-{name}.gguf"
    if not path.is_file():
        pytest.skip(f"needs {path.name} in the shared folder")
    compare(path)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
RANGES = {
    ValueType.UINT8: (0, 2**8 - 1), ValueType.INT8: (-(2**7), 2**7 - 1),
    ValueType.UINT16: (0, 2**16 - 1), ValueType.INT16: (-(2**15), 2**15 - 1),
    ValueType.UINT32: (0, 2**32 - 1), ValueType.INT32: (-(2**31), 2**31 - 1),
    ValueType.UINT64: (0, 2**64 - 1), ValueType.INT64: (-(2**63), 2**63 - 1),
}  # fmt: skip


def scalars(kind: ValueType) -> st.SearchStrategy[Scalar]:
    if kind in RANGES:
        return st.integers(*RANGES[kind])
    if kind is ValueType.BOOL:
        return st.booleans()
    if kind is ValueType.STRING:
        return TEXT
    return st.floats(width=32 if kind is ValueType.FLOAT32 else 64)


KINDS = st.sampled_from([kind for kind in ValueType if kind is not ValueType.ARRAY])
VALUES = KINDS.flatmap(
    lambda kind: st.one_of(scalars(kind), st.lists(scalars(kind), max_size=40)).map(lambda value: Typed(kind, value))
)
KEYS = st.text("abcxyz.\u00e9\u4e2d", min_size=1, max_size=20)
# Q8_1 is left out: gguf 0.19 has another size for it than ggml.
KNOWN = [
    number for number, kind in types.TENSOR_TYPES.items() if kind.known and kind.name not in ("Q8_1", "Q1_0", "Q2_0")
]


@st.composite
def tensor_lists(draw: st.DrawFn) -> list[Tensor]:
    names = draw(st.lists(KEYS, max_size=5, unique=True))
    tensors = []
    for name in names:
        type_id = draw(st.sampled_from(KNOWN))
        row = types.tensor_type(type_id).block_size * draw(st.integers(1, 4))
        shape = (row, *draw(st.lists(st.integers(1, 5), max_size=3)))
        tensors.append(Tensor(name, shape, type_id))
    return tensors


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    metadata=st.dictionaries(KEYS, VALUES, max_size=12),
    tensors=tensor_lists(),
    version=st.sampled_from([2, 3]),
    big_endian=st.booleans(),
    alignment=st.sampled_from([None, 8, 32, 64, 4096]),
)
def test_whatever_is_written_is_read(
    metadata: dict[str, Typed],
    tensors: list[Tensor],
    *,
    version: int,
    big_endian: bool,
    alignment: int | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    image = build(metadata, tensors, version=version, big_endian=big_endian, alignment=alignment)
    source = image.source()
    header = read_header(source, first_read=16)
    assert (header.version, header.big_endian, header.alignment) == (version, big_endian, alignment or 32)
    assert header.needed_size <= image.size
    for key, typed in metadata.items():
        value = header.metadata[key]
        written = [typed.value] if isinstance(typed.value, (int, float, str)) else list(typed.value)
        same(read_array(source, header, value) if isinstance(value, ArrayRef) else [value], list(written))
    assert [(t.name, t.shape, t.type_id, t.size_bytes) for t in header.tensors] == [
        (t.name, t.shape, t.type_id, t.size) for t in tensors
    ]
    compare(image.write(tmp_path_factory.mktemp("any") / "any.gguf"))
