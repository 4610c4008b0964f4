"""The place Hub on a real Hub client, a test Hub on loopback, and scripted footprints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from qtui.core.advice.loss import Losses
from qtui.core.downloads.download import Download
from qtui.core.downloads.queue import Room
from qtui.core.library.variant import Variant
from qtui.core.measure.quality import Quality
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin
from qtui.core.text import GIB
from qtui.services.downloads.client import DownloadsClient, Endpoint
from qtui.services.evidence import EvidenceFiles
from qtui.services.hub.client import HubClient
from qtui.services.hub.hub import HuggingFaceHub
from qtui.services.library.library import LocalLibrary
from qtui.ui.messages import OpenRepository, UsePlan
from qtui.ui.places.hub import HubPlace
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.fakes import make_variant
from tests.hub.content import Bytes
from tests.hub.faults import Fault, Kind
from tests.hub.model_repository import RECIPES, TINY, ModelRepository, Shape, model_repository
from tests.hub.repository import Repository
from tests.hub.server import LocalHub
from tests.ui.stage import Stage, screen_lines, screen_text, sees, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen

FEW = tuple(recipe for recipe in RECIPES if recipe.label in ("BF16", "Q8_0", "Q4_K_M", "Q2_K"))
REPOSITORY = "acme/Acme-8B-GGUF"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


@pytest.fixture
def acme(server: LocalHub) -> ModelRepository:
    """Four quants of a model of 8 billion parameters, one of them in two shards; no data behind the headers."""
    made = model_repository(recipes=FEW, shape=Shape(vocabulary=256), downloads=12_345, likes=67)
    server.add(made.repository)
    return made


def stage(**more: object) -> Stage:
    made = Stage(hub=HuggingFaceHub(HubClient()), **more)  # type: ignore[arg-type]
    made.machine.set(available=64 * GIB)
    return made


def place(pilot: Pilot[None]) -> HubPlace:
    assert isinstance(pilot.app.screen, HubPlace)
    return pilot.app.screen


def variants(pilot: Pilot[None]) -> list[str]:
    table = place(pilot).query_one("#variants", GroupedTable)
    return [" ".join([row.mark, *(str(cell) for cell in row.cells if cell is not None)]) for row in table.rows]


async def opened(pilot: Pilot[None], repository: str = REPOSITORY) -> None:
    """Go to the Hub and open a repository by its name."""
    await wait_until(pilot, lambda: pilot.app.opened)  # type: ignore[attr-defined]
    await pilot.press("2")
    await wait_until(
        pilot, lambda: isinstance(pilot.app.screen, HubPlace) and pilot.app.screen.query_one(Input).has_focus
    )
    place(pilot).query_one(Input).value = repository
    await pilot.press("enter")


async def weighed(pilot: Pilot[None], repository: str = REPOSITORY) -> None:
    await opened(pilot, repository)
    await wait_until(pilot, lambda: place(pilot).page.shelf.exact, "all weighed")


async def test_it_begins_in_the_box_and_asks_nothing_before_enter(server: LocalHub, acme: ModelRepository) -> None:
    async with stage().app().run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: pilot.app.opened)  # type: ignore[attr-defined]
        await pilot.press("2")
        await sees(pilot, "Find a model on the Hub.")
        await pilot.press(*"acme")
        assert place(pilot)._typed is None and server.requests() == []
        await pilot.press("enter")
        await sees(pilot, REPOSITORY)
        await sees(pilot, "1 repository")
        line = next(line for line in screen_lines(pilot) if REPOSITORY in line and "open" in line)
        assert "6.9B" in line and "12.3K" in line
        await pilot.press(*"x")  # the user has searched: what is typed from now on is looked for by itself
        await sees(pilot, "No repository has such a name.")


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_box_can_be_left_where_nothing_was_found(
    server: LocalHub, acme: ModelRepository, size: tuple[int, int]
) -> None:
    async with stage().app().run_test(size=size) as pilot:
        await wait_until(pilot, lambda: pilot.app.opened)  # type: ignore[attr-defined]
        await pilot.press("2", *"nothing", "enter")
        await sees(pilot, "No repository has such a name.")
        await wait_until(pilot, lambda: not place(pilot)._searching)
        await pilot.press("escape")
        assert not place(pilot).query_one(Input).has_focus
        await sees(pilot, "/ search")
        await pilot.press("1")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, HubPlace))
        await pilot.press("2", "slash")
        await wait_until(pilot, lambda: place(pilot).query_one(Input).has_focus)
        place(pilot).query_one(Input).value = "acme"
        await pilot.press("escape")
        await pilot.press("down")  # a key outside of the box; what is found then has it
        await wait_until(pilot, lambda: place(pilot).query_one("#found", GroupedTable).has_focus)


async def test_terms_narrow_a_search(server: LocalHub, acme: ModelRepository) -> None:
    server.add(model_repository("other/Acme-8B-GGUF", TINY, FEW[1:2]).repository)
    async with stage().app().run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: pilot.app.opened)  # type: ignore[attr-defined]
        await pilot.press("2")
        await sees(pilot, "Find a model")
        box = place(pilot).query_one(Input)
        for text, found in (("acme", 2), ("acme author:other", 1), ("params:6B-8B arch:qwen3", 1), ("licence:mit", 0)):
            box.value = text
            await pilot.press("enter")
            await wait_until(pilot, lambda n=found: not place(pilot)._searching and len(place(pilot)._found) == n, text)  # type: ignore[misc]
        box.value = "params:large"
        await pilot.press("enter")
        await sees(pilot, "not a range of parameters")


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_repository_is_weighed_before_anything_of_it_is_here(
    server: LocalHub, acme: ModelRepository, size: tuple[int, int]
) -> None:
    made = stage()
    async with made.app().run_test(size=size) as pilot:
        await wait_until(pilot, lambda: pilot.app.opened)  # type: ignore[attr-defined]
        await pilot.press("2", *"acme", "enter")
        await sees(pilot, REPOSITORY)
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: sum("fits" in row and "remote" in row for row in variants(pilot)) == 4)
        await sees(pilot, "* the largest that fits: BF16")
        assert any("other" in line for line in screen_lines(pilot))
        check_screen(pilot)
        assert variants(pilot)[0].startswith("* BF16")
        await pilot.press("escape")
        await wait_until(pilot, lambda: place(pilot).query_one("#found", GroupedTable).has_focus)


async def test_another_plan_is_weighed_and_free_memory_judged_without_asking_the_hub(
    server: LocalHub, acme: ModelRepository
) -> None:
    made = stage()
    async with made.app().run_test(size=(120, 36)) as pilot:
        await weighed(pilot)
        server.clear()
        asked = len(made.dry_run.asked)
        pilot.app.post_message(UsePlan(LoadPlan(ctx_size=2048)))
        await wait_until(pilot, lambda: len(made.dry_run.asked) >= asked + 4)
        assert made.dry_run.asked[-1][1].ctx_size == 2048
        assert not server.requests()


async def test_what_fits_with_less_context_is_offered(server: LocalHub, acme: ModelRepository) -> None:
    made = stage()
    made.machine.set(available=int(1.5 * GIB))
    async with made.app().run_test(size=(120, 36)) as pilot:
        await weighed(pilot)
        await sees(pilot, "nothing here fits")
        assert all("fits" not in row for row in variants(pilot))


async def test_fetching_is_shown_asked_again_withdrawn_and_done(server: LocalHub, tmp_path: Path) -> None:
    tiny = model_repository("acme/Acme-Tiny-GGUF", TINY, FEW)
    server.add(tiny.repository)
    library = LocalLibrary()
    made = stage(downloads=DownloadsClient(lambda: Endpoint(server.endpoint, False)), real_library=library, variants=())
    async with made.app().run_test(size=(120, 36)) as pilot:
        await weighed(pilot, "acme/Acme-Tiny-GGUF")
        await pilot.press("j", "enter")
        await sees(pilot, "into the HF cache")
        await pilot.press("escape")
        await wait_until(pilot, lambda: "into the HF cache" not in screen_text(pilot))
        assert isinstance(pilot.app.screen, HubPlace) and place(pilot).has_class("opened")
        await pilot.press("enter")
        await sees(pilot, "Enter again: start")
        await pilot.press("j")  # another row: what was asked about the first is withdrawn
        await wait_until(pilot, lambda: "Enter again" not in screen_text(pilot))
        await pilot.press("k", "enter")
        await sees(pilot, "Enter again: start")
        await pilot.press("enter")
        await wait_until(
            pilot, lambda: any(row.startswith(" Q8_0") and row.endswith("here") for row in variants(pilot))
        )
        await pilot.press("1")
        await sees(pilot, "Acme-Tiny")  # it is in Models at once
        await pilot.press("2", "enter")
        await sees(pilot, "ready")
        assert [opened.variant.quant for opened in made.engine.sessions] == ["Q8_0"]


class FullDisk(DownloadsClient):
    """Has room for one gibibyte."""

    async def room(self, downloads: Sequence[Download]) -> Sequence[Room]:
        return [replace(room, free=1 * GIB) for room in await super().room(downloads)]


async def test_a_disk_without_room_says_so_and_nothing_begins(server: LocalHub, acme: ModelRepository) -> None:
    made = stage(downloads=FullDisk(lambda: Endpoint(server.endpoint, False)))
    async with made.app().run_test(size=(120, 36)) as pilot:
        await weighed(pilot)
        await pilot.press("enter")
        await sees(pilot, "not enough room")
        server.clear()
        await pilot.press("enter")
        await pilot.pause()
        assert not server.requests("cdn")


async def test_without_downloads_it_says_so(server: LocalHub, acme: ModelRepository) -> None:
    async with stage().app().run_test(size=(80, 24)) as pilot:
        await weighed(pilot)
        await pilot.press("enter")
        await sees(pilot, "downloads are not set up here")


async def test_what_a_repository_without_gguf_is_and_where_its_quants_are(
    server: LocalHub, acme: ModelRepository
) -> None:
    plain = Repository("acme/Acme-8B", library="transformers", tags=("safetensors",))
    plain.commit({"model.safetensors": Bytes(b"x" * 100), "config.json": Bytes(b"{}")})
    server.add(plain)
    async with stage().app().run_test(size=(120, 36)) as pilot:
        await opened(pilot, "acme/Acme-8B")
        await sees(pilot, "convert_hf_to_gguf.py")
        await wait_until(pilot, lambda: place(pilot).query_one("#found", GroupedTable).has_focus)
        await pilot.press("enter")
        await sees(pilot, "Q4_K_M")


async def test_what_keeps_the_hub_from_answering_is_said(server: LocalHub, acme: ModelRepository) -> None:
    async with stage().app().run_test(size=(80, 24)) as pilot:
        await opened(pilot, "acme/nothing")
        await wait_until(pilot, lambda: place(pilot).page.shelf.failure)
        await wait_until(pilot, lambda: place(pilot).page.has_class("troubled"))
        acme.repository.gated = "auto"
        await pilot.press("escape")
        await opened(pilot)
        await sees(pilot, "gated")
        server.fault(Fault(Kind.PORTAL, "/api/models*", times=-1, port="hub"))
        await pilot.press("R")
        await wait_until(pilot, lambda: place(pilot).page.shelf.failure)
        check_screen(pilot)


async def test_the_card_the_details_the_ladder_and_the_comparison_open(server: LocalHub, acme: ModelRepository) -> None:
    async with stage().app().run_test(size=(120, 36)) as pilot:
        await weighed(pilot)
        await pilot.press("m")
        await sees(pilot, "Quants of a model.")
        await pilot.press("escape", "j", "o")
        await sees(pilot, "architecture")
        await pilot.press("escape", "l")
        await sees(pilot, "Ladder")
        await pilot.press("escape", "c")
        await sees(pilot, "Compare")
        await wait_until(pilot, lambda: "weighing" not in screen_text(pilot))
        await pilot.press("enter")  # neither is here: nothing is put on a side
        await wait_until(pilot, lambda: any("is on the Hub" in n.message for n in pilot.app._notifications))


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_what_quants_lose_is_told_as_published_and_as_measured_of_what_is_here(
    server: LocalHub, acme: ModelRepository, size: tuple[int, int]
) -> None:
    here = make_variant("Acme-8B", "Q2_K", size=1, paths=(Path("/here/q2"),), path=Path("/here/q2"))
    evidence, _ = EvidenceFiles(Path("/nowhere")).load()

    async def measured(variants: Sequence[Variant]) -> dict[Path, Quality]:
        return {one.path: Quality(Origin.MEASURED, 0.4321) for one in variants if one.path == here.path}

    made = stage(variants=(here,), losses=lambda: (Losses(evidence, measured), ()))
    async with made.app().run_test(size=size) as pilot:
        await weighed(pilot)
        page = place(pilot).page
        listed = page.shelf.listing
        assert listed is not None
        smallest = next(row for row in listed.rows if row.variant.quant == "Q2_K")
        await wait_until(pilot, lambda: all(page.shelf.loss(row) for row in listed.rows))
        lost = page.shelf.loss(smallest)
        assert lost is not None and lost.origin is Origin.PUBLISHED
        page.shelf.mark_here({smallest.files[0].sha256: here.path})
        page._look_at_losses()
        await wait_until(pilot, lambda: any(row.startswith(" Q2_K") and " 0.432 " in row for row in variants(pilot)))
        assert any(row.startswith(" Q4_K_M") and " °0.028 " in row for row in variants(pilot))
        assert any(row.startswith("* BF16") and " – " in row for row in variants(pilot))
        assert ("KLD" in screen_lines(pilot)[3]) is (size[0] == 120)
        await pilot.press("g", "j", "j", "j")
        await sees(pilot, "KLD 0.432: only if nothing else fits")
        check_screen(pilot)
        await pilot.press("c")
        await sees(pilot, "KL divergence")
        await wait_until(pilot, lambda: any("KL divergence" in line and "°0." in line for line in screen_lines(pilot)))


async def test_a_local_variant_leads_to_where_it_came_from(server: LocalHub, acme: ModelRepository) -> None:
    async with stage().app().run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: pilot.app.opened)  # type: ignore[attr-defined]
        pilot.app.post_message(OpenRepository(REPOSITORY))
        await sees(pilot, "Q4_K_M")
        assert place(pilot).page.shelf.name == REPOSITORY


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_text_of_a_hub(server: LocalHub, kind: str) -> None:
    text = HOSTILE[kind].replace("\ud800", "?")
    repository = model_repository("acme/Bad-GGUF", TINY, FEW[1:2], tags=(text,), library=text).repository
    repository.licence = text
    name = text.replace("/", "_").replace("\0", "")[:200] or "x"
    repository.commit({**repository.commits[-1].files, f"{name}.gguf": Bytes(b"GGUF"), "README.md": text.encode()})
    server.add(repository)
    async with stage().app().run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: pilot.app.opened)  # type: ignore[attr-defined]
        await pilot.press("2")
        await sees(pilot, "Find a model")
        place(pilot).query_one(Input).value = text[:500]
        await pilot.press("enter")
        await wait_until(pilot, lambda: not place(pilot)._searching)
        check_screen(pilot)
        place(pilot).query_one(Input).value = "bad"
        await pilot.press("enter")
        await sees(pilot, "acme/Bad-GGUF")
        check_screen(pilot)
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: not place(pilot).page.shelf.reading)
        for key in ("j", "G", "o", "escape", "m"):
            await pilot.press(key)
            check_screen(pilot)
        await pilot.resize_terminal(120, 36)
        check_screen(pilot)
