"""Deleting after a look at what goes, and verifying with its progress, in panels over Models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qtui.core.downloads.expected import Expected, Source
from qtui.core.errors import BadFileError, QtuiError
from qtui.core.library.removal import Doomed, Mechanism, Removal, Removed
from qtui.core.text import GIB
from qtui.ui.panels.delete import DeletePanel
from qtui.ui.panels.verify import VerifyPanel
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine
from tests.fakes import FakeSessions, make_seen
from tests.ui.stage import LARGE, SMALL, Stage, models, rows_of, screen_text, sees, statics, told, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen, hostile_variant


@dataclass
class FakeRemover:
    """Would delete every variant as one file, from a library of its own."""

    stage: Stage | None = None
    removals: dict[str, Removal] = field(default_factory=dict)
    errors: dict[str, QtuiError] = field(default_factory=dict)
    """What removing raises, by path."""
    removed: list[Path] = field(default_factory=list)

    async def preview(self, name: str) -> Removal:
        if name in self.removals:
            return self.removals[name]
        assert self.stage is not None
        variant = await self.stage.library.find(name)
        doomed = Doomed(variant.path, Mechanism.UNLINK, variant.path.parent, 1, 2, variant.size, 3)
        return Removal(variant, (doomed,), (), variant.size)

    async def remove(self, removal: Removal) -> Removed:
        path = removal.variant.path
        if str(path) in self.errors:
            raise self.errors[str(path)]
        self.removed.append(path)
        if self.stage is not None:
            self.stage.library.variants = [one for one in self.stage.library.variants if one.path != path]
        return Removed((path,), removal.frees)


@dataclass
class FakeChecksums:
    """Reads in two halves; the second waits for `go`."""

    files: Sequence[Expected]
    digests: dict[Path, str] = field(default_factory=dict)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    error: QtuiError | None = None

    async def expected(self, name: str) -> Sequence[Expected]:
        if self.error is not None:
            raise self.error
        return self.files

    async def digest(self, path: Path) -> AsyncGenerator[int | str]:
        size = next(one.here for one in self.files if one.path == path) or 0
        yield size // 2
        await self.go.wait()
        yield size
        yield self.digests[path]


def deleting(**more: object) -> tuple[Stage, FakeRemover]:
    remover = FakeRemover()
    stage = Stage(remover=remover, **more)  # type: ignore[arg-type]
    remover.stage = stage
    return stage, remover


async def opened(pilot: Pilot[None], key: str) -> None:
    await wait_until(pilot, lambda: any("Q4_K_M" in row for row in rows_of(pilot)))
    models(pilot).query_one(GroupedTable).move_to_key(str(SMALL.path))
    await pilot.press(key)
    if key != "b":
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, DeletePanel | VerifyPanel))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_what_goes_is_shown_and_goes_when_that_is_agreed_to(size: tuple[int, int]) -> None:
    stage, remover = deleting()
    async with stage.app().run_test(size=size) as pilot:
        await opened(pilot, "x")
        await sees(pilot, "deletes")
        assert str(SMALL.path) in screen_text(pilot) and "1.00 GiB" in screen_text(pilot)
        check_screen(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, DeletePanel))
        assert not remover.removed and len(models(pilot).shelf.variants) == len(stage.variants)
        await pilot.press("x")
        await sees(pilot, "deletes")
        await pilot.press("enter")
        await told(pilot, "1.00 GiB freed")
        await wait_until(pilot, lambda: SMALL.path not in models(pilot).shelf.variants)
        assert remover.removed == [SMALL.path]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_what_a_session_has_loaded_is_not_offered_for_deletion(size: tuple[int, int]) -> None:
    stage, remover = deleting(sessions=FakeSessions(make_seen("s7", path=str(SMALL.path))))
    async with stage.app().run_test(size=size) as pilot:
        await opened(pilot, "x")
        await sees(pilot, "loaded by a session of another qtui (s7)")
        (text,) = statics(pilot, ".preview")
        assert "go to Monitor" in text and "qtui stop" not in text and "frees" not in text
        keys = [command.id for command in pilot.app.screen.query_one(KeyLine)._commands or ()]
        assert keys == ["delete.no"]
        await pilot.press("y")
        await pilot.pause()
        assert not remover.removed and isinstance(pilot.app.screen, DeletePanel)
        check_screen(pilot)


async def test_what_stands_on_a_side_says_which() -> None:
    stage, remover = deleting(sessions=FakeSessions(make_seen("s7", path=str(SMALL.path), own=True)))
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot, "b")
        await pilot.press("x")
        await sees(pilot, "loaded on side B of the Arena")
        assert not remover.removed


async def test_what_was_loaded_after_the_look_stays_and_says_so() -> None:
    stage, remover = deleting()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot, "x")
        await sees(pilot, "deletes")
        stage.sessions.seen.append(make_seen("s8", path=str(SMALL.path), own=True))
        await pilot.press("y")
        await sees(pilot, "loaded by this qtui")
        assert not remover.removed
        stage.sessions.seen.clear()
        await pilot.press("escape", "x")
        await sees(pilot, "deletes")
        await pilot.press("y")
        await wait_until(pilot, lambda: remover.removed == [SMALL.path])


async def test_what_changed_meanwhile_stays_and_is_looked_at_again() -> None:
    stage, remover = deleting()
    remover.errors[str(SMALL.path)] = QtuiError("it has changed since", "look again")
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot, "x")
        await sees(pilot, "deletes")
        await pilot.press("enter")
        await told(pilot, "it has changed since")
        assert isinstance(pilot.app.screen, DeletePanel)


async def test_what_belongs_to_another_program_is_left_to_it() -> None:
    stage, remover = deleting()
    remover.removals[str(SMALL.path)] = Removal(SMALL, commands=(("ollama", "rm", "alpha:q4"),))
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot, "x")
        await sees(pilot, "ollama rm alpha:q4")
        await pilot.press("enter")
        assert not remover.removed


async def test_without_a_remover_or_checksums_it_says_so() -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: any("Q4_K_M" in row for row in rows_of(pilot)))
        await pilot.press("x")
        await told(pilot, "Nothing can be deleted here.")
        await pilot.press("v")
        await told(pilot, "Nothing can be verified here.")


async def test_verifying_shows_progress_and_what_each_file_is() -> None:
    good = Expected(SMALL.path, GIB, GIB, "a" * 64, Source.MANIFEST)
    bad = replace(good, path=LARGE.path, sha256="b" * 64, source=Source.CACHE)
    short = replace(good, path=Path("/models/short.gguf"), here=5)
    checksums = FakeChecksums((good, bad, short), {SMALL.path: "a" * 64, LARGE.path: "c" * 64})
    async with Stage(checksums=checksums).app().run_test(size=(120, 36)) as pilot:
        await opened(pilot, "v")
        await sees(pilot, "25 %")
        checksums.go.set()
        await sees(pilot, "has another size than it should have")
        text = screen_text(pilot)
        assert "as it should be" in text and "damaged" in text and "by manifest" in text
        check_screen(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, VerifyPanel))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_file_of_which_nothing_is_known_shows_its_hash_on_a_line_of_its_own(size: tuple[int, int]) -> None:
    unknown = Expected(SMALL.path, GIB, None, None, None)
    checksums = FakeChecksums((unknown,), {SMALL.path: "0123456789abcdef" * 4})
    checksums.go.set()
    async with Stage(checksums=checksums).app().run_test(size=size) as pilot:
        await opened(pilot, "v")
        await sees(pilot, "no checksum is known for this file")
        assert any("0123456789abcdef" * 4 in line for line in screen_text(pilot).splitlines())
        (text,) = statics(pilot, ".found")
        assert "it is not from the Hub; its sha256 is\n" + "0123456789abcdef" * 4 in text
        check_screen(pilot)


async def test_a_file_that_cannot_be_verified_says_why() -> None:
    checksums = FakeChecksums((), error=BadFileError("no such file", "it is gone"))
    async with Stage(checksums=checksums).app().run_test(size=(80, 24)) as pilot:
        await opened(pilot, "v")
        await sees(pilot, "no such file")


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_names_in_both(kind: str) -> None:
    text = HOSTILE[kind]
    variant = hostile_variant(text, 1)
    doomed = Doomed(variant.path, Mechanism.HF_CACHE, Path("/"), 1, 2, 3, 4)
    stage, remover = deleting(variants=(variant,))
    stage.checksums = FakeChecksums((), error=BadFileError(text or "x", text))
    remover.removals[str(variant.path)] = Removal(variant, (doomed,), ((Path(text or "x"), text),), 3, ((text, text),))
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: models(pilot).subject())
        for key in ("x", "escape", "v"):
            await pilot.press(key)
            await pilot.pause()
            check_screen(pilot)
