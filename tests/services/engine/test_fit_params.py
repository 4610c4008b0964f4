"""Another build's `llama-fit-params`: a program of ours stands in for one with cards, llama.cpp's own has none."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from qtui.core.errors import EngineError, PlanRefusedError
from qtui.core.hardware import EngineInfo
from qtui.core.memory.closed_form.formula import ClosedForm, footprint_of
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.plan import ALL_LAYERS, LoadPlan
from qtui.core.origin import Origin
from qtui.core.ports import DryRun
from qtui.core.text import MIB
from qtui.services.engine.answers import Answers
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.fit_params import TOOL, FitParamsClient
from qtui.services.engine.other_builds import OtherBuild, other_build
from qtui.services.library.tables import LocalTables
from tests.services.engine.weighing import PLAN, left_over, variant

SERVER = """\
import sys
if "--version" in sys.argv:
    print("version: 7777 (abcdef0)\\nbuilt with a compiler", file=sys.stderr)
else:
    print("Available devices:\\n  CUDA0: A card (24576 MiB, 24000 MiB free)")
"""
ASKED = LoadPlan(ctx_size=8192, n_gpu_layers=ALL_LAYERS, engine="llama-server")


def program(path: Path, body: str) -> Path:
    """Write a program that this Python runs."""
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(body)} "$@"\n')
    path.chmod(0o755)
    return path


@dataclass(frozen=True, slots=True)
class Build:
    """A llama.cpp with a card, whose tool prints what a test says."""

    folder: Path

    @property
    def server(self) -> Path:
        return self.folder / "llama-server"

    @property
    def asked(self) -> list[str]:
        """The arguments of the last question, without the ghost's name; none where it was not asked."""
        try:
            words = (self.folder / "asked").read_text().split("\n")
        except FileNotFoundError:
            return []
        return words[words.index("--ctx-size") :]

    def says(self, text: str, *, status: int = 0, more: str = "") -> None:
        note = f"open({str(self.folder / 'asked')!r}, 'w').write('\\n'.join(sys.argv[1:]))"
        program(self.folder / TOOL, f"import os, sys, time\n{note}\n{more}\nprint({text!r})\nsys.exit({status})")

    async def info(self) -> EngineInfo:
        found = await self.found()
        return await found[0].info()

    async def found(self, answers: Answers | None = None) -> tuple[OtherBuild, DryRun]:
        found = await other_build(str(self.server), BuiltInEngine().info, answers=answers)
        assert found is not None
        return found

    async def computed(self, path: Path, plan: LoadPlan = ASKED) -> Footprint:
        table = await LocalTables().table(variant(path))
        return footprint_of(table, replace(plan, n_gpu_layers=table.layers + 1), await self.info())


@pytest.fixture
def build(tmp_path: Path) -> Build:
    made = Build(tmp_path)
    program(made.server, SERVER)
    made.says("")
    return made


def printed(computed: Footprint, *, more: Sequence[int] = (0, 0, 0)) -> str:
    """What the tool would print for a footprint: a card, and what is in RAM; `more` MiB on the card."""
    lines = []
    for name, rows in (("CUDA0", [row for row in computed.devices if row.gpu == 0]),
                       ("Host", [row for row in computed.devices if row.gpu is None])):  # fmt: skip
        parts = (sum(getattr(row, part) for row in rows) // MIB for part in ("weights", "context", "compute"))
        extra = more if name == "CUDA0" else (0, 0, 0)
        lines.append(" ".join([name, *(str(size + beyond) for size, beyond in zip(parts, extra, strict=True)), ""]))
    return "\n".join(lines)


async def told(build: Build, path: Path, plan: LoadPlan = ASKED) -> Footprint:
    table = await LocalTables().table(variant(path))
    _, dry_run = await build.found()
    try:
        return await dry_run.footprint(variant(path), replace(plan, n_gpu_layers=table.layers + 1))
    finally:
        await dry_run.close()
        assert left_over() == []


async def test_the_compute_buffer_is_the_builds_and_weights_and_context_stay_exact(
    build: Build, ghosts: dict[str, Path]
) -> None:
    path = ghosts["llama3.1-8b"]
    computed = await build.computed(path)
    build.says(printed(computed, more=(0, 0, 200)))
    footprint = await told(build, path)
    assert footprint.origin is Origin.DRY_RUN and footprint.engine == "llama-server"
    for kind in ("weights", "context"):
        assert footprint.kind_bytes(kind) == computed.kind_bytes(kind)
    (mine,), (theirs,) = ([row for row in f.devices if row.gpu == 0] for f in (computed, footprint))
    assert abs(theirs.compute - mine.compute - 200 * MIB) <= theirs.band == MIB // 2
    assert footprint.pools.vram[0] - computed.pools.vram[0] == theirs.compute - mine.compute
    assert footprint.extra == computed.extra
    assert any("7777 (abcdef0)" in note and "whole MiB" in note for note in footprint.notes)
    assert any("a row per slot" in note for note in footprint.notes)
    assert build.asked[:4] == ["--ctx-size", "8192", "--parallel", "1"] and build.asked[-2:] == ["--fit-print", "on"]


async def test_what_agrees_within_a_mib_stays_as_it_was_computed(build: Build, ghosts: dict[str, Path]) -> None:
    path = ghosts["qwen3-30b-a3b"]
    computed = await build.computed(path)
    build.says(printed(computed))
    footprint = await told(build, path)
    assert [row.total for row in footprint.devices] == [row.total for row in computed.devices]
    assert {row.origin for row in footprint.devices} == {Origin.DRY_RUN}
    assert max(row.band for row in footprint.devices) == MIB


@pytest.mark.parametrize("more", [(3, 0, 0), (0, 3, 0)])
async def test_a_build_that_places_otherwise_is_noted_and_not_believed_to_be_exact(
    build: Build, ghosts: dict[str, Path], more: tuple[int, int, int]
) -> None:
    path = ghosts["gpt-oss-20b"]
    build.says(printed(await build.computed(path), more=more))
    footprint = await told(build, path)
    assert footprint.origin is Origin.COMPUTED
    assert any("other weights or another context" in note for note in footprint.notes)


async def test_slots_that_share_a_cache_are_computed_since_the_tool_knows_none(
    build: Build, ghosts: dict[str, Path]
) -> None:
    path, plan = ghosts["gemma3-27b"], replace(ASKED, parallel=4)
    build.says(printed(await build.computed(path, replace(ASKED, parallel=1))))
    footprint = await told(build, path, plan)
    assert footprint.kind_bytes("context") == (await build.computed(path, plan)).kind_bytes("context")
    assert footprint.origin is Origin.DRY_RUN and build.asked[3] == "1"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the tool does, and what is said of it."""

    words: str
    says: str = ""
    status: int = 0
    does: str = ""
    error: type[PlanRefusedError | EngineError] = EngineError


TROUBLES = (
    Trouble("refused: error: no such layer", "error: no such layer", 1, error=PlanRefusedError),
    Trouble("died (signal 11)", does="os.kill(os.getpid(), 11)"),
    Trouble("did not answer within", does="time.sleep(60)"),
    Trouble("prints something else", "CUDA0 1 2 3"),
    Trouble("prints something else", "CUDA0 1 2 3\nCUDA1 1 2 3\nHost 1 2 3"),
    Trouble("prints something else", "CUDA0 999999999 2 3\nHost 1 2 3"),
    Trouble("prints something else", "CUDA0 -1 2 3\nHost 1 2 3"),
    Trouble("prints something else", "\x1b[31mHost \x9b?1h"),
    Trouble("did not answer", does="[print('Host 1 2 3') for _ in range(99999)]"),
)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_whatever_the_tool_does_is_a_sentence(build: Build, ghosts: dict[str, Path], trouble: Trouble) -> None:
    build.says(trouble.says, status=trouble.status, more=trouble.does)
    client = FitParamsClient(build.folder / TOOL, build.info, limit=1.0)
    with pytest.raises(trouble.error) as caught:
        await client.footprint(variant(ghosts["qwen3-dense"]), ASKED)
    assert trouble.words in caught.value.message and caught.value.hint and "\x1b" not in caught.value.message
    await client.close()
    assert left_over() == []


async def test_it_is_remembered_for_the_next_start_by_build(build: Build, ghosts: dict[str, Path]) -> None:
    path, kept = ghosts["llama3.1-8b"], Answers(build.folder / "answers.sqlite3")
    build.says(printed(await build.computed(path), more=(0, 0, 9)))
    plan = replace(ASKED, n_gpu_layers=33)
    _, first = await build.found(kept)
    footprint = await first.footprint(variant(path), plan)
    (build.folder / "asked").unlink()
    _, second = await build.found(kept)
    assert await second.recall(variant(path), plan) == footprint
    assert await second.recall(variant(path), replace(plan, ctx_size=4096)) is None
    program(build.server, SERVER.replace("7777", "7778"))
    _, third = await build.found(kept)
    assert await third.recall(variant(path), plan) is None
    assert build.asked == []


async def test_without_the_tool_the_closed_form_for_its_card_stays_and_says_so(
    build: Build, ghosts: dict[str, Path]
) -> None:
    (build.folder / TOOL).unlink()
    described, dry_run = await build.found()
    store = Footprints(dry_run, ClosedForm(LocalTables(), described))
    known = await store.ask(variant(ghosts["qwen3-dense"]), replace(ASKED, n_gpu_layers=9))
    assert known.footprint is not None and known.footprint.pools.vram[0] > 0
    assert any("llama-fit-params is not beside" in note for note in known.footprint.notes)


async def test_names_without_a_program_and_programs_without_a_card_are_the_built_in_engines(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    built_in = BuiltInEngine().info
    assert await other_build("built-in", built_in) is None
    assert await other_build("llama-cli", built_in) is None
    assert await other_build(str(tmp_path / "gone" / "llama-server"), built_in) is None
    found = await other_build("llama-server", built_in)  # on PATH
    assert found is not None and [card.name for card in (await found[0].info()).gpus] == ["CUDA0"]
    program(build.server, SERVER.replace("  CUDA0", "CUDA0"))
    assert await other_build("llama-server", built_in) is None


@pytest.mark.oracle
async def test_llama_cpps_own_tool_agrees_with_the_closed_form(oracle: Path, ghosts: dict[str, Path]) -> None:
    engine = BuiltInEngine()
    client = FitParamsClient(oracle / TOOL, engine.info)
    tables = LocalTables()
    for name, path in ghosts.items():
        for plan in (PLAN, replace(PLAN, ctx_size=32768), replace(PLAN, cache_type_k="q8_0", cache_type_v="q8_0")):
            asked = replace(plan, engine="llama-cli")  # whose logits the tool reserves
            computed = footprint_of(await tables.table(variant(path)), asked, await engine.info())
            found = await client.footprint(variant(path), asked)
            assert found.origin is Origin.DRY_RUN, (name, found.notes)
            for kind in ("weights", "context"):
                assert found.kind_bytes(kind) == computed.kind_bytes(kind), name
            off = abs(found.kind_bytes("compute") - computed.kind_bytes("compute"))
            assert off <= sum(row.band for row in computed.devices) + MIB, name
    await client.close()
