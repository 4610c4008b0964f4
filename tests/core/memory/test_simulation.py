from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.errors import EngineError
from qtui.core.memory.closed_form.backends import devices_of
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.simulation import NotAsked, SharedAsFree, SimulatedCards
from qtui.core.text import GIB
from tests.fakes import CPU_ONLY, ONE_CARD, FakeDryRun, ScriptedEngine, make_variant


async def test_cards_that_are_not_here_follow_cudas_rules() -> None:
    info = await SimulatedCards(ScriptedEngine(), (12 * GIB, 6 * GIB)).info()
    assert [(card.name, card.free) for card in info.gpus] == [("CUDA0", 12 * GIB), ("CUDA1", 6 * GIB)]
    assert info.devices[2:] == CPU_ONLY.devices and info.build == CPU_ONLY.build
    assert devices_of(info).host_name == "CUDA_Host"


async def test_cards_that_are_here_keep_their_names() -> None:
    engine = ScriptedEngine()
    engine.engine_info = replace(
        ONE_CARD, devices=(replace(ONE_CARD.devices[0], name="Vulkan0"), *ONE_CARD.devices[1:])
    )
    info = await SimulatedCards(engine, (4 * GIB,)).info()
    assert [(card.name, card.description, card.free) for card in info.gpus] == [("Vulkan0", "A card", 4 * GIB)]


async def test_llama_cpp_is_not_asked_about_them() -> None:
    with pytest.raises(EngineError, match="2 simulated GPUs"):
        await NotAsked.about(2).footprint(make_variant(), LoadPlan())
    await NotAsked.about(2).close()


async def test_shares_follow_the_simulated_free_memory() -> None:
    dry_run, variant = FakeDryRun(), make_variant()

    def asked() -> tuple[float, ...]:
        return dry_run.asked[-1][1].tensor_split

    shared = SharedAsFree(dry_run, (3 * GIB, GIB))
    told = await shared.footprint(variant, LoadPlan(n_gpu_layers=5))
    assert asked() == (3.0 * GIB, 1.0 * GIB) and told.plan.tensor_split == ()
    await shared.footprint(variant, LoadPlan(tensor_split=(1.0, 1.0)))
    assert asked() == (1.0, 1.0)
    await SharedAsFree(dry_run, (GIB,)).footprint(variant, LoadPlan())
    assert asked() == ()
    await shared.close()
    assert dry_run.closed
