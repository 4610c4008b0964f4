"""Lines of a comparison: nothing that matters is cut, and what all share is not said in each column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.advice.loss import Loss
from qtui.core.compare import Column, compare
from qtui.core.compare_rows import heads
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin
from qtui.ui.present.compare import compare_lines
from tests.core.memory.fit.test_propose import guarded, variant
from tests.fakes import FakeLibrary, make_facts

WORDS = "wikitext-2 at 512 tokens of context, against F16; it was measured on another model and not on this one"


async def columns_of() -> list[Column]:
    guard, _ = guarded(ram=12)
    first = replace(variant("llama3.1-8b"), size=4_300_000, quant="Q4_K_M", model="Llama", source="HF")
    second = replace(variant("gemma3-27b"), size=2_890_000, quant="Q2_K", model="Llama", source="local")
    library = FakeLibrary(first, second)
    library.told[second.path] = replace(
        make_facts(second), imatrix={"dataset": "calibration_datav3.txt", "chunks_count": 100}
    )
    loss = Loss(Origin.MEASURED, 0.003, words=WORDS)
    columns = await compare(guard, library, [first, second], lambda _: LoadPlan())
    return [replace(column, loss=loss) for column in columns]


@pytest.mark.parametrize("width", [56, 76])
async def test_no_number_and_no_note_is_cut(width: int) -> None:
    lines = [line.plain for line in compare_lines(await columns_of(), 1, width)]
    text = "\n".join(lines)
    assert "-0.0013, -33 %" in text
    assert all(len(line) <= width for line in lines)
    said = " ".join(text.split())
    assert WORDS in said and "…" not in text
    assert "no measurable" in text and "difference" in text and "100 chunks" in text


async def test_heads_name_only_what_differs() -> None:
    first, second = await columns_of()
    assert heads([first, second]) == ("Q4_K_M", "Q2_K")
    other = replace(second, variant=replace(second.variant, model="Gemma"))
    assert heads([first, other]) == ("Llama Q4_K_M", "Gemma Q2_K")
    twin = replace(second, variant=replace(second.variant, quant="Q4_K_M"))
    assert heads([first, twin]) == ("Q4_K_M, HF", "Q4_K_M, local")
    same = replace(twin, variant=replace(twin.variant, source="HF", path=Path("/x/twin.gguf")))
    assert heads([first, same]) == ("Q4_K_M, llama3.1-8b.gguf", "Q4_K_M, twin.gguf")
