"""Whatever names, answers and errors hold: nothing crashes, no control reaches a line, no line is too wide."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input

from qtui.core.errors import BadFileError, Failure, PlanRefusedError
from qtui.core.gguf.facts import JsonScalar, MixRow
from qtui.core.hardware import EngineInfo, Gpu
from qtui.core.library.variant import Role, Variant
from qtui.core.presets import Preset
from qtui.core.text import clean, clean_name
from qtui.ui.present.models import empty_text
from qtui.ui.widgets.thought import Thought
from tests.fakes import LoadScript, Reply, make_facts, make_variant
from tests.ui.stage import Stage, arena, models, screen_lines, wait_until

HOSTILE = {
    "markup": "model[/foo] [bold red]x[/] [@click=app.quit]y[/] \\[ [[ ]] $primary",
    "escape": "\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1bP+q\x1b\\",
    "c1": "a\x9b2Jb\x9d0;t\x9cc\x85d\x90e",
    "bidi": "abc\u202egpj.fggu\u202c\u2066x\u2069\u200f\u061c",
    "entities": "&#x202e;evil&#27;[2J&#x9b;1m&lt;b&gt; [a]: http://x <script>x</script> <!-- y --> ![i](j)",
    "wide": "漢字かな" * 60,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈👍🏽" * 40,
    "zero_width": "a\u200bb\u200cc\u200dd\u0301\u0300\u0302" * 200 + "\u034f\u2060\u00ad",
    "newlines": "one\ntwo\r\nthree\rfour\u2028five\u2029six\x0bseven\x0ceight\x1cnine",
    "tabs": "a\tb\t\tc" * 20,
    "long": "x" * 10_000,
    "markdown": "# h\n> q\n> > r\n* a\n   1. b\n```[x]\n\x1b[1m\n```\n|a|b|\n|-|-|\n|[c]|\n~~~\n---\n***x*y_z__`" * 3,
    "tags": "\U000e0041\U000e0042\ufff9a\ufffab\ufffb\ud800",
    "empty": "",
}


def check_screen(pilot: Pilot[None]) -> None:
    width = pilot.app.size.width
    strips = pilot.app.screen._compositor.render_strips(pilot.app.size)
    for line, strip in zip(screen_lines(pilot), strips, strict=True):
        assert strip.cell_length <= width, line
        assert cell_len(line) <= width, line
        for character in line:
            category = unicodedata.category(character)
            assert category not in ("Cc", "Cs", "Zl", "Zp"), (hex(ord(character)), line)
            assert unicodedata.bidirectional(character) not in ("RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI")


def hostile_variant(text: str, number: int, **fields: object) -> Variant:
    plain = make_variant("safe", "Q8_0", folder=Path(f"/models/{number}"))
    path = plain.path.with_name(text[:200].replace("\0", "").replace("/", "_") or "x")
    return replace(plain, path=path, model=text, quant=text, architecture=text, source=text, repository=text, **fields)  # type: ignore[arg-type]


async def test_models() -> None:
    shelf: list[Variant] = []
    stage = Stage()
    for number, text in enumerate(HOSTILE.values()):
        refused = hostile_variant(text, number + 100)
        stage.dry_run.errors[refused.path] = BadFileError(text, text)
        problem = text or "x"
        shelf += [
            hostile_variant(text, number),
            refused,
            hostile_variant(text, number + 200, problem=problem, complete=False),
            hostile_variant(text, number + 300, role=Role.UNKNOWN),
        ]
    stage.library.variants = shelf
    everything = "".join(HOSTILE.values())
    stage.engine.engine_info = EngineInfo(everything, build=everything, problem=everything, usable=False)
    stage.machine.now = replace(stage.machine.now, gpus=(Gpu(0, everything, 1 << 30, 1 << 29),), problems=(everything,))
    async with stage.app().run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: len(stage.dry_run.asked) == 2 * len(HOSTILE))
        await pilot.press("g")
        await pilot.press("a")
        for _ in range(len(shelf)):
            await pilot.press("j")
            check_screen(pilot)
        await pilot.resize_terminal(120, 36)
        for key in ("g", "pagedown", "pagedown", "G", "slash", "x", "escape", "question_mark", "pagedown"):
            await pilot.press(key)
            check_screen(pilot)


@pytest.mark.parametrize("kind", HOSTILE)
async def test_empty_models(kind: str) -> None:
    text = HOSTILE[kind][:300]
    assert "\x1b" not in empty_text([(text, Path("/" + text.replace("\0", "")))], scanning=False, problem=text).plain


@pytest.mark.parametrize("kind", HOSTILE)
async def test_arena(kind: str) -> None:
    text = HOSTILE[kind]
    one, two = hostile_variant(text, 1), hostile_variant(text, 2)
    stage = Stage()
    stage.engine.enqueue(Reply(text + " " + text, thinking=text, warnings=(text,)), variant=one)
    stage.engine.loads[two.path] = LoadScript(failure=Failure(text or "x", text, "engine", (text, text)))
    async with stage.duel(text or "x", A=one, B=two).run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: not arena(pilot)._operations.running)
        check_screen(pilot)
        for thought in arena(pilot).query(Thought):
            thought.focus()
            await pilot.press("space")
            check_screen(pilot)
        await pilot.press("escape", "g")
        await pilot.resize_terminal(120, 36)
        check_screen(pilot)
        await pilot.press("z")
        check_screen(pilot)


@pytest.mark.parametrize("kind", ["markup", "escape", "entities"])
async def test_nothing_that_a_model_wrote_is_hidden(kind: str) -> None:
    text = HOSTILE[kind]
    stage = Stage()
    variant = make_variant()
    stage.engine.enqueue(Reply(text), variant=variant)
    async with stage.duel("go", A=variant).run_test(size=(200, 30)) as pilot:
        await wait_until(pilot, lambda: not arena(pilot)._operations.running)
        shown = "".join(screen_lines(pilot))
        for word in {"markup": ["[/foo]", "[@click=app.quit]y[/]"], "escape": ["[31mred", "http://x"]}.get(
            kind, ["&#x202e;evil", "&lt;b&gt;", "[a]: http://x", "<script>x</script>", "<!-- y -->", "![i](j)"]
        ):
            assert word in shown


async def test_details() -> None:
    stage = Stage(variants=tuple(hostile_variant(text, number) for number, text in enumerate(HOSTILE.values())))
    for variant, text in zip(stage.variants, HOSTILE.values(), strict=True):
        shown = clean_name(text)
        metadata: dict[str, JsonScalar] = {clean_name(text or "key"): clean(text), "n": 1.5, "b": True, "none": None}
        mix = (MixRow(99, shown, 1, None, 1), MixRow(8, "Q8_0", 1, 5, 1))
        stage.library.told[variant.path] = make_facts(
            variant, mix=mix, imatrix={shown: clean(text)}, warnings=(clean(text),), metadata=metadata,
            chat_template_names=(shown,), architecture=shown, model=shown,
        )  # fmt: skip
    stage.library.errors[str(stage.variants[0].path)] = BadFileError(HOSTILE["escape"], HOSTILE["long"])
    async with stage.app().run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: len(models(pilot).shelf.variants) == len(HOSTILE))
        await pilot.press("g")
        for number in range(len(HOSTILE)):
            for key in ("o", "pagedown"):
                await pilot.press(key)
                check_screen(pilot)
            await pilot.press("escape", *(["y"] if number % 4 == 0 else []), "j")
        await pilot.resize_terminal(120, 36)
        check_screen(pilot)


async def test_plan() -> None:
    variant = hostile_variant("".join(HOSTILE.values()), 1)
    stage = Stage(variants=(variant,))
    stage.dry_run.errors[variant.path] = PlanRefusedError(variant.model, variant.model)
    for text in HOSTILE.values():
        name = clean_name(text or "x", 60).strip()
        stage.presets.own.append(Preset(name, {"mmproj": "/x" + text.replace("\0", "")}, text, ("safe*",)))
    async with stage.app().run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: models(pilot).subject())
        await pilot.press("p")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ModalScreen))
        await pilot.press("g")
        for _ in HOSTILE:
            await pilot.press("right")
            check_screen(pilot)
        await pilot.press("m", "G")
        for text in (HOSTILE[kind] for kind in ("escape", "wide", "zero_width", "newlines", "long")):
            await pilot.press("i")
            pilot.app.screen.query_one(Input).value = text
            await pilot.pause()
            check_screen(pilot)
            await pilot.press("enter")
            check_screen(pilot)
            await pilot.press("escape" if pilot.app.screen.query_one(Input).has_focus else "G")
        await pilot.resize_terminal(120, 36)
        check_screen(pilot)


async def test_filters() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: len(models(pilot).shelf.variants) == len(stage.variants))
        await pilot.press("slash")
        for text in HOSTILE.values():
            for filtered in (text, f"arch:{text} <{text}GiB quant:{text} {text[:20]}:1"):
                pilot.app.screen.query_one(Input).value = filtered
                await pilot.pause()
                check_screen(pilot)
