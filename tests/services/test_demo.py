"""The demo's quants: made once, made again when they are not right, and removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qtui.core.demo import DEMO_QUANTS, DEMO_SIDES, DemoProgress
from qtui.core.errors import QtuiError, UsageError
from qtui.services.demo import SOURCE, Demo

SIZES = {"Q8_0": 4_499_104, "Q5_K_M": 3_021_984, "Q4_K_M": 2_587_808, "Q3_K_M": 2_151_328, "Q2_K": 1_697_696}
"""Bytes, as llama.cpp makes them of the shipped file."""


async def prepared(demo: Demo) -> list[DemoProgress]:
    return [step async for step in demo.prepare()]


async def test_the_quants_are_made_once(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "cache" / "demo")
    assert demo.missing() == DEMO_QUANTS
    steps = await prepared(demo)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert [quant for quant in DEMO_QUANTS if quant in {step.quant for step in steps}] == list(DEMO_QUANTS)
    assert {quant: demo.path(quant).stat().st_size for quant in DEMO_QUANTS} == SIZES
    stamps = {quant: demo.path(quant).stat().st_mtime_ns for quant in DEMO_QUANTS}
    assert demo.missing() == () and await prepared(demo) == []
    assert {quant: demo.path(quant).stat().st_mtime_ns for quant in DEMO_QUANTS} == stamps


async def test_only_what_is_wrong_is_made_again(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    await prepared(demo)
    demo.path("Q4_K_M").write_bytes(b"cut")
    demo.path("Q2_K").unlink()
    assert demo.missing() == ("Q4_K_M", "Q2_K")
    assert {step.quant for step in await prepared(demo)} == {"Q4_K_M", "Q2_K"}
    assert {quant: demo.path(quant).stat().st_size for quant in DEMO_QUANTS} == SIZES


async def test_quants_of_another_model_are_made_again(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    await prepared(demo)
    record = tmp_path / "demo.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "source": "an older demo model"}))
    assert demo.missing() == DEMO_QUANTS
    record.write_text("[not json")
    assert demo.missing() == DEMO_QUANTS


async def test_what_is_done_survives_an_interruption(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    steps = demo.prepare()
    async for step in steps:
        if step.quant == "Q2_K" and step.done:
            break
    await steps.aclose()
    assert demo.missing() == ("Q2_K",)
    whole = {f"qtui-demo-{quant}.gguf" for quant in DEMO_QUANTS[:-1]}
    assert {path.name for path in tmp_path.iterdir()} == {"demo.json", *whole}


async def test_clean_removes_ours_and_only_ours(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "demo")
    assert demo.clean() == []
    await prepared(demo)
    left_by_a_crash = demo.folder / ".qtui-demo-Q2_K.gguf.abc123.part"
    left_by_a_crash.touch()
    foreign = demo.folder / "notes.txt"
    foreign.write_text("mine")
    removed = demo.clean()
    assert {path.name for path in removed} == {
        "demo.json", left_by_a_crash.name, *(f"qtui-demo-{quant}.gguf" for quant in DEMO_QUANTS),
    }  # fmt: skip
    assert list(demo.folder.iterdir()) == [foreign]
    foreign.unlink()
    assert demo.clean() == [] and not demo.folder.exists()


async def test_a_cache_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    with pytest.raises(QtuiError, match="cannot make the demo's folder") as caught:
        await prepared(Demo(blocked / "demo"))
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_paths(private_home: Path, tmp_path: Path) -> None:
    assert Demo().folder == private_home / "xdg_cache_home" / "qtui" / "demo"
    demo = Demo(tmp_path)
    assert demo.path("F16") == SOURCE and SOURCE.is_file()
    assert [demo.path(side).name for side in DEMO_SIDES] == ["qtui-demo-Q8_0.gguf", "qtui-demo-Q2_K.gguf"]
    with pytest.raises(UsageError, match="the demo has no Q3_K_S"):
        demo.path("Q3_K_S")
