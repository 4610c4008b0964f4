"""What quantising makes: predicted to the byte, refused with reasons, and never something else than was asked."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import gguf
import pytest

from qtui.core.errors import BadFileError, QtuiError, UsageError
from qtui.core.quantise.messages import Quantised
from qtui.core.quantise.obstacles import obstacle, remarks
from qtui.core.quantise.recipe import Recipe
from qtui.core.quantise.run import Advanced, Made, MatrixGathered, Order, Phase, make
from qtui.core.quantise.types import OFFERED
from qtui.services.engine import gather as gathering
from qtui.services.engine import part_files
from qtui.services.engine import quantise as quantising
from qtui.services.engine.child.matrix_file import read_matrix, write_matrix
from qtui.services.engine.child.quantise_log import refusal
from qtui.services.engine.part_files import sweep
from qtui.services.engine.quantise import predict, quantise
from qtui.services.engine.workshop import LocalWorkshop
from tests.conftest import DEMO_F16, write_ghost
from tests.services.engine.making import CTX, TEXT, gathered, made_of, plan_of, split, write_llama

TWELVE = (
    "F32", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_1", "Q4_K_M", "Q4_0", "IQ4_XS", "Q3_K_M", "IQ3_S", "Q2_K",
)  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random llama with rows of 64, in F32."""
    return write_llama(tmp_path_factory.mktemp("small") / "small.gguf")


def keys(path: Path) -> dict[str, object]:
    return {field.name: field.contents() for field in gguf.GGUFReader(path).fields.values()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TWELVE)
async def test_the_size_is_known_to_the_byte(demo_f16: Path, tmp_path: Path, kind: str) -> None:
    planned, made = await made_of(demo_f16, tmp_path / "q.gguf", Recipe(kind))
    assert planned.size == made.size == (tmp_path / "q.gguf").stat().st_size


async def test_every_type_is_planned_at_once(demo_f16: Path) -> None:
    planned = [plan async for plan in predict(demo_f16, [Recipe(made.name) for made in OFFERED])]
    assert [plan.recipe.kind for plan in planned] == [made.name for made in OFFERED]
    assert not any(plan.problem for plan in planned)
    by_kind = {plan.recipe.kind: plan for plan in planned}
    assert {kind for kind, plan in by_kind.items() if plan.needs_matrix} == {
        "IQ3_XS", "IQ3_XXS", "Q2_K_S", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S",
    }  # fmt: skip
    assert 4.8 < (by_kind["Q4_K_M"].bits_per_weight or 0) < 5
    mixed = obstacle(by_kind["MXFP4_MOE"])
    assert mixed is not None and "would write a Q8_0 file" in mixed.message


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("Q4_0", tensor_type=(("ffn_down", "Q8_0"),), output_tensor_type="Q5_0", token_embedding_type="F16"),
        Recipe("Q5_0", pure=True),
    ],
)
async def test_overrides_are_planned_and_made(small: Path, tmp_path: Path, recipe: Recipe) -> None:
    planned, made = await made_of(small, tmp_path / "q.gguf", recipe)
    assert planned.size == made.size
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "q.gguf").tensors}
    assert types["blk.0.ffn_down.weight"] == ("Q5_0" if recipe.pure else "Q8_0")
    assert types["token_embd.weight"] == ("Q5_0" if recipe.pure else "F16")


async def test_types_that_fall_back_are_told_before(small: Path) -> None:
    planned = await plan_of(small, Recipe("Q4_K_M"))
    assert sum(fallback.tensors for fallback in planned.fallbacks) == 7
    assert ("Q4_K", "Q5_0") in {(fallback.wanted, fallback.made) for fallback in planned.fallbacks}
    assert any("not one tensor will be Q4_K" in remark for remark in remarks(planned))


async def test_a_split_source_is_planned_and_made(small: Path, tmp_path: Path) -> None:
    first = split(small, tmp_path)
    (tmp_path / "out").mkdir()
    # Any shard stands for all of them.
    middle = tmp_path / "m-00002-of-00003.gguf"
    planned, made = await made_of(middle, tmp_path / "out" / "whole.gguf", Recipe("Q8_0"))
    assert planned.size == made.size
    planned, made = await made_of(first, tmp_path / "out" / "kept.gguf", Recipe("Q8_0", keep_split=True))
    names = [f"kept-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    assert made.files == tuple(str(tmp_path / "out" / name) for name in names)
    assert planned.sizes == tuple((tmp_path / "out" / name).stat().st_size for name in names)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*names, "whole.gguf"]
    middle.unlink()
    with pytest.raises(BadFileError, match="shards 2 of 3 are not here"):
        await plan_of(first, Recipe("Q8_0"))


async def test_no_shard_of_the_source_is_written_over(small: Path, tmp_path: Path) -> None:
    first = split(small, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match="the file that would be read"):
        await made_of(first, tmp_path / "m.gguf", Recipe("Q8_0", keep_split=True))
    (tmp_path / "link.gguf").symlink_to(tmp_path / "m-00003-of-00003.gguf")
    with pytest.raises(UsageError, match="the file that would be read"):
        await made_of(first, tmp_path / "link.gguf", Recipe("Q8_0"))
    assert {path: path.read_bytes() for path in before} == before


async def test_another_alignment_is_put_right(tmp_path: Path) -> None:
    """llama.cpp pads by 32 and copies the source's alignment: its own tool makes files that it cannot read."""
    source = write_llama(tmp_path / "wide.gguf", alignment=64)
    planned, made = await made_of(source, tmp_path / "q.gguf", Recipe("Q5_0"))
    assert planned.size == made.size
    again = await plan_of(tmp_path / "q.gguf", Recipe("Q5_0"))
    assert not again.problem and keys(tmp_path / "q.gguf")["general.alignment"] == 32


async def test_requantising_is_refused_or_recorded(small: Path, tmp_path: Path) -> None:
    await made_of(small, tmp_path / "first.gguf", Recipe("Q8_0"))
    with pytest.raises(UsageError, match=r"quantised already \(Q8_0\)"):
        await made_of(tmp_path / "first.gguf", tmp_path / "second.gguf", Recipe("Q4_0"))
    planned, made = await made_of(
        tmp_path / "first.gguf", tmp_path / "second.gguf", Recipe("Q4_0", allow_requantize=True)
    )
    assert planned.size == made.size
    assert keys(tmp_path / "second.gguf")["qtui.requantized_from"] == "Q8_0"
    assert "qtui.requantized_from" not in keys(tmp_path / "first.gguf")


async def test_targets_are_not_replaced_unasked(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "q.gguf"
    target.write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there already"):
        await made_of(small, target, Recipe("Q8_0"))
    with pytest.raises(UsageError, match="is a folder"):
        await made_of(small, tmp_path, Recipe("Q8_0"))
    assert target.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [target]


async def test_what_is_no_model_is_refused(tmp_path: Path, small: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "vocabulary.gguf", "llama")
    writer.add_token_list(["a", "b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(BadFileError, match="holds a vocabulary and no weights"):
        await plan_of(tmp_path / "vocabulary.gguf", Recipe("Q8_0"))
    write_matrix(tmp_path / "matrix.gguf", {}, ["t"], 1, 512)
    with pytest.raises(BadFileError, match="is no model: its header says imatrix"):
        await plan_of(tmp_path / "matrix.gguf", Recipe("Q8_0"))


async def test_weights_that_are_no_numbers_leave_nothing(tmp_path: Path) -> None:
    source = write_llama(tmp_path / "nan.gguf", spoil="blk.0.ffn_up")
    with pytest.raises(BadFileError, match="no numbers"):
        await made_of(source, tmp_path / "q.gguf", Recipe("Q8_0"))
    assert list(tmp_path.iterdir()) == [source]


async def test_a_model_that_llama_cpp_loads_and_cannot_quantise_is_told_apart(tmp_path: Path) -> None:
    ghost = write_ghost("deepseek2-moe", tmp_path)
    planned = await plan_of(ghost, Recipe("Q1_0"))
    assert "llama.cpp cannot quantise this model so" in planned.problem and "q1_0" in planned.problem
    assert not (await plan_of(ghost, Recipe("Q4_0"))).problem


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Bad layer 9 for tensor blk.9.ffn_down.weight. Must be in [0, 4)", "no layer for the tensor blk.9.ffn_down"),
        ("Failed to determine layer for tensor x.ffn_down.weight", "cannot quantise it: it finds no layer"),
        ("unknown model architecture: 'nova'", "does not know the architecture nova"),
        ("cannot dequantize/convert tensor type i32", "cannot convert (i32)"),
        ("quantized data validation failed", "no numbers"),
        ("something new", "m.gguf"),
    ],
)
def test_refusals_of_llama_cpp_are_classified(line: str, told: str) -> None:
    error = refusal([f"llama_model_quantize: failed to quantize: {line}"], "m.gguf", writing=True)
    assert told in error.message


async def test_a_bad_expression_is_told(small: Path) -> None:
    planned = await plan_of(small, Recipe("Q8_0", tensor_type=(("attn_(q", "Q4_0"),)))
    assert "--tensor-type: not a regular expression" in planned.problem


async def test_a_matrix_makes_what_needs_one(demo_f16: Path, tmp_path: Path) -> None:
    matrix, told = await gathered(demo_f16, tmp_path)
    recipe = Recipe("IQ2_XXS", imatrix=str(matrix))
    planned = await plan_of(demo_f16, recipe)
    assert obstacle(planned) is None and planned.matrix is not None
    assert (planned.matrix.used, planned.matrix.lacking, planned.matrix.unknown) == (told.entries, 0, 0)
    assert planned.matrix.chunks == 4


async def test_a_matrix_of_an_earlier_try_is_used_and_files_are_waited_for_off_the_loop(
    demo_f16: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    order = Order(demo_f16, tmp_path / "q.gguf", Recipe("Q2_K"), text=tmp_path / "text.txt", chunks=2, ctx_size=CTX)
    loop = threading.get_ident()
    by_loop: list[str] = []

    def noticed(where: object, name: str) -> None:
        plain = getattr(where, name)

        def call(*args: Any, **more: Any) -> Any:
            by_loop.extend([name] if threading.get_ident() == loop else [])
            return plain(*args, **more)

        monkeypatch.setattr(where, name, call)

    for where, name in ((part_files, "sweep"), (gathering, "_identity"), (quantising, "_sync")):
        noticed(where, name)
    *_, made = [event async for event in make(order, LocalWorkshop())]
    assert isinstance(made, Made) and by_loop == []
    first = order.target.read_bytes()
    order.target.unlink()  # as if the making had failed
    gathered_at = order.matrix_target.stat().st_mtime_ns
    events = [event async for event in make(order, LocalWorkshop())]
    assert order.matrix_target.stat().st_mtime_ns == gathered_at
    assert not [one for one in events if isinstance(one, Advanced) and one.phase is Phase.GATHERING]
    assert any(isinstance(one, MatrixGathered) and one.gathered.chunks == 2 for one in events)
    assert order.target.read_bytes() == first


async def test_a_matrix_of_another_model_is_refused_or_said(demo_f16: Path, small: Path, tmp_path: Path) -> None:
    path, _ = await gathered(demo_f16, tmp_path)
    matrix = read_matrix(path)
    of_other_shapes = await plan_of(small, Recipe("Q4_0", imatrix=str(path)))
    failure = obstacle(of_other_shapes)
    assert failure is not None and "is of another model: blk.0." in failure.message
    renamed = {name.replace("blk.", "block."): entry for name, entry in matrix.entries.items()}
    write_matrix(tmp_path / "renamed.gguf", renamed, ["t"], 1, 64)
    failure = obstacle(await plan_of(demo_f16, Recipe("Q4_0", imatrix=str(tmp_path / "renamed.gguf"))))
    assert failure is not None and "none of its 35 entries" in failure.message
    some = dict(list(matrix.entries.items())[:30]) | {"blk.99.attn_q.weight": matrix.entries["blk.0.attn_q.weight"]}
    write_matrix(tmp_path / "some.gguf", some, ["t"], 1, 64)
    planned = await plan_of(demo_f16, Recipe("Q4_0", imatrix=str(tmp_path / "some.gguf")))
    assert obstacle(planned) is None and planned.matrix is not None
    assert (planned.matrix.entries, planned.matrix.unknown, planned.matrix.lacking) == (31, 1, 5)
    needed = obstacle(await plan_of(demo_f16, Recipe("IQ2_S", imatrix=str(tmp_path / "some.gguf"))))
    assert needed is not None and "has nothing for some tensors" in needed.message
    matrix.entries["blk.0.attn_q.weight"].sums[0, 0] = float("nan")
    write_matrix(tmp_path / "nan.gguf", matrix.entries, ["t"], 1, 64)
    failure = obstacle(await plan_of(demo_f16, Recipe("Q4_0", imatrix=str(tmp_path / "nan.gguf"))))
    assert failure is not None and "no numbers (NaN)" in failure.message


async def test_a_matrix_that_is_none_is_a_message(demo_f16: Path, tmp_path: Path) -> None:
    (tmp_path / "m.dat").write_bytes(b"no matrix")
    planned = await plan_of(demo_f16, Recipe("Q4_0", imatrix=str(tmp_path / "m.dat")))
    assert "m.dat is no importance matrix" in planned.problem


async def test_a_folder_that_cannot_be_written_is_refused_before_the_work(small: Path) -> None:
    with pytest.raises(QtuiError, match=r"cannot write /proc/q\.gguf"):
        await made_of(small, Path("/proc/q.gguf"), Recipe("Q8_0"))


async def test_the_stop_of_a_run_leaves_no_part_and_no_record(
    demo_f16: Path, tmp_path: Path, private_home: Path
) -> None:
    events = quantise(DEMO_F16, tmp_path / "q.gguf", Recipe("Q2_K"))
    async for event in events:
        assert not isinstance(event, Quantised)
        break
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    assert sweep([tmp_path]) == []  # it is being made
    await events.aclose()
    assert list(tmp_path.iterdir()) == []
    assert not list((private_home / "xdg_data_home" / "qtui" / "making").iterdir())
