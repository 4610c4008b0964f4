"""Against llama.cpp's own tools: the matrix that is gathered, and what is made with one."""

from __future__ import annotations

import filecmp
import subprocess
from pathlib import Path

import numpy as np
import pytest

from qtui.core.errors import BadFileError, EngineError, UsageError
from qtui.core.quantise.gathering import Gathered, GatherProgressed, GatherStarted
from qtui.core.quantise.recipe import Recipe
from qtui.services.engine.child.matrix_file import Matrix, read_matrix
from qtui.services.engine.gather import gather
from tests.builders.moe import write_moe
from tests.conftest import DEMO_F16
from tests.services.engine.making import CTX, TEXT, gathered, made_of, split, write_llama

pytestmark = pytest.mark.oracle
KINDS = ("Q4_K_M", "Q2_K", "IQ2_XXS", "Q4_0", "IQ4_NL", "Q8_0")


@pytest.fixture(scope="module", params=["dense", "experts"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model, and one with experts that is made of it."""
    if request.param == "dense":
        return DEMO_F16
    return write_moe(DEMO_F16, tmp_path_factory.mktemp("moe") / "moe.gguf", experts=8, blocks=1)


def tool(oracle: Path, name: str, *arguments: object) -> str:
    done = subprocess.run(
        [oracle / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def worst(ours: Matrix, theirs: Matrix) -> float:
    """Return the largest relative difference of sums; counts and names are equal."""
    assert ours.entries.keys() == theirs.entries.keys()
    found = 0.0
    for name, entry in ours.entries.items():
        other = theirs.entries[name]
        assert np.array_equal(entry.counts, other.counts)
        # Where a row was never seen both are zero.
        found = max(found, float((np.abs(entry.sums - other.sums) / np.maximum(np.abs(other.sums), 1e-30)).max()))
    return found


async def test_matrices_are_those_of_llama_imatrix(oracle: Path, model: Path, tmp_path: Path) -> None:
    ours, _ = await gathered(model, tmp_path, chunks=8)
    tool(
        oracle, "llama-imatrix", "-m", model, "-f", tmp_path / "text.txt", "-o", tmp_path / "theirs.gguf",
        "-c", CTX, "-b", CTX, "--chunks", 8, "-ngl", 0,
    )  # fmt: skip
    theirs = tmp_path / "theirs.gguf"
    assert worst(read_matrix(ours), read_matrix(theirs)) < 1e-4
    assert 0 < ours.stat().st_size - theirs.stat().st_size < 256  # it says what it is of
    read = read_matrix(theirs)
    assert (read.datasets, read.chunk_count, read.chunk_size) == ((str(tmp_path / "text.txt"),), 8, CTX)
    tool(oracle, "llama-imatrix", "--in-file", ours, "-o", tmp_path / "again.gguf", "-m", model)
    assert worst(read_matrix(tmp_path / "again.gguf"), read_matrix(ours)) == 0


async def test_the_older_form_is_read_as_llama_imatrix_writes_it(oracle: Path, tmp_path: Path) -> None:
    ours, _ = await gathered(DEMO_F16, tmp_path, chunks=4)
    tool(
        oracle, "llama-imatrix", "--in-file", ours, "-o", tmp_path / "old.dat", "-m", DEMO_F16, "-c", CTX, "-b", CTX,
        "--output-format", "dat",
    )  # fmt: skip
    old, new = read_matrix(tmp_path / "old.dat"), read_matrix(ours)
    assert old.entries.keys() == new.entries.keys()
    for name, entry in old.entries.items():
        np.testing.assert_allclose(entry.weights(), new.entries[name].weights(), rtol=1e-5)


async def test_the_tool_of_the_user_gathers_the_same(oracle: Path, tmp_path: Path) -> None:
    ours, _ = await gathered(DEMO_F16, tmp_path, chunks=4)
    program = str(oracle / "llama-imatrix")
    text = tmp_path / "text.txt"
    events = [
        event async for event in gather(DEMO_F16, text, tmp_path / "t.gguf", ctx_size=CTX, chunks=4, tool=program)
    ]
    assert isinstance(events[0], GatherStarted) and events[0].chunks == 4
    assert isinstance(events[-1], Gathered) and events[-1].entries == 35
    assert [event.done for event in events if isinstance(event, GatherProgressed)][-1] == 4
    assert worst(read_matrix(tmp_path / "t.gguf"), read_matrix(ours)) < 1e-4
    text.write_text("Too short.")
    # Its log is often lost when it fails.
    with pytest.raises((UsageError, EngineError), match=r"at least 128 are needed|failed"):
        _ = [event async for event in gather(DEMO_F16, text, tmp_path / "u.gguf", ctx_size=CTX, tool=program)]
    with pytest.raises(BadFileError, match="is not a GGUF file"):
        _ = [event async for event in gather(text, text, tmp_path / "u.gguf", ctx_size=CTX, tool=program)]
    with pytest.raises(EngineError, match="cannot be started"):
        _ = [event async for event in gather(DEMO_F16, text, tmp_path / "u.gguf", ctx_size=CTX, tool="/no/tool")]


@pytest.mark.slow
async def test_files_made_with_a_matrix_are_those_of_llama_quantize(oracle: Path, model: Path, tmp_path: Path) -> None:
    matrix, _ = await gathered(model, tmp_path)
    for kind in KINDS:
        theirs, ours = tmp_path / f"theirs-{kind}.gguf", tmp_path / f"ours-{kind}.gguf"
        planned, made = await made_of(model, ours, Recipe(kind, imatrix=str(matrix)))
        tool(oracle, "llama-quantize", "--imatrix", matrix, model, theirs, kind)
        assert filecmp.cmp(ours, theirs, shallow=False), kind
        assert planned.size == made.size
        theirs.unlink()
        ours.unlink()


async def test_recipes_are_those_of_llama_quantize(oracle: Path, tmp_path: Path) -> None:
    source = write_llama(tmp_path / "small.gguf")
    for number, (options, recipe) in enumerate(
        (
            (["--pure"], Recipe("Q5_1", pure=True)),
            (["--tensor-type", "FFN_(up|down)=q8_0", "--token-embedding-type", "q5_0"],
             Recipe("Q4_0", tensor_type=(("ffn_(up|down)", "Q8_0"),), token_embedding_type="Q5_0")),
            (["--leave-output-tensor"], Recipe("Q4_K_M", leave_output_tensor=True)),
        )
    ):  # fmt: skip
        ours, theirs = tmp_path / f"ours{number}.gguf", tmp_path / f"theirs{number}.gguf"
        await made_of(source, ours, recipe)
        tool(oracle, "llama-quantize", *options, source, theirs, recipe.kind)
        assert filecmp.cmp(ours, theirs, shallow=False), options


async def test_shards_that_stay_split_are_those_of_llama_quantize(oracle: Path, tmp_path: Path) -> None:
    source = split(write_llama(tmp_path / "small.gguf"), tmp_path)
    _, made = await made_of(source, tmp_path / "ours.gguf", Recipe("Q8_0", keep_split=True))
    tool(oracle, "llama-quantize", "--keep-split", source, tmp_path / "theirs.gguf", "Q8_0")
    for file in made.files:
        assert filecmp.cmp(file, file.replace("ours", "theirs"), shallow=False)


def test_the_text_is_long_enough() -> None:
    assert len(TEXT) > 8 * CTX
