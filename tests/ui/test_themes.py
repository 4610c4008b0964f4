from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from qtui.core.errors import Failure
from qtui.core.themes import ThemeFile
from qtui.services.themes import read_themes
from qtui.ui.contrast import BACKGROUNDS, READABLE, TEXTS, low_contrast, pairs, ratio, resolved
from qtui.ui.themes import OWN_VARIABLES, css_variables, load_themes, parse_theme
from tests.ui.readable import hard_to_read, mixed_colours, pieces
from tests.ui.stage import Stage, sees, wait_until

UI = Path(__file__).parent.parent.parent / "qtui" / "ui"
SHIPPED = [file for file in read_themes(Path("/nowhere")) if file.shipped]
GOOD = """\
[colours]
primary = "#4488ff"
foreground = "white"
background = "rgb(0, 0, 0)"
"""


def file(text: str, name: str = "mine") -> ThemeFile:
    return ThemeFile(name, Path(f"/themes/{name}.toml"), text)


def theme(text: str, name: str = "mine") -> Theme:
    result = parse_theme(file(text, name))
    assert isinstance(result, Theme), result
    return result


def test_at_least_four_themes_are_shipped_and_well() -> None:
    loaded = load_themes(SHIPPED)
    assert loaded.failures == ()
    assert {"dark", "light", "high-contrast", "terminal"} <= set(loaded.themes)
    assert loaded.themes["terminal"].ansi
    assert not loaded.themes["light"].dark


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda shipped: str(shipped.name))
def test_text_can_be_read_on_every_ground(shipped: ThemeFile) -> None:
    made = theme(shipped.text, shipped.name)
    variables = css_variables(made)
    assert low_contrast(variables) == []
    if not made.ansi:
        assert len(list(pairs(variables))) == len(TEXTS) * len(BACKGROUNDS) + 2


def test_every_ground_of_our_styles_is_among_those_that_are_tested() -> None:
    """What a style sheet puts text on is one of BACKGROUNDS, or so weak a tint that text over it stays readable."""
    rules = [
        (path.name, name, alpha)
        for path in sorted(UI.rglob("*.tcss")) + sorted(UI.rglob("*.py"))
        for name, alpha in re.findall(r"background:\s*\$([\w-]+)(\s+\d+%)?", path.read_text(encoding="utf-8"))
    ]
    assert rules
    for shipped in SHIPPED:
        variables = css_variables(theme(shipped.text, shipped.name))
        for place, name, alpha in rules:
            if name in (*BACKGROUNDS, "input-cursor-background", "input-selection-background"):
                continue
            for base in ("background", "surface"):
                under = resolved(variables[base], Color(0, 0, 0))
                ground = under and resolved(variables[name] + alpha, under)
                text = ground and resolved(variables["foreground"], ground)
                assert text is None or ground is None or ratio(text, ground) >= READABLE, (place, name, shipped.name)


def test_every_colour_of_our_texts_is_among_those_that_are_tested() -> None:
    used = {
        (path.name, name)
        for path in sorted(UI.rglob("*.py"))
        for name in re.findall(r"\$((?:text|foreground)[\w-]*)", path.read_text(encoding="utf-8"))
        if path.name not in ("contrast.py", "themes.py")
    }
    assert {name for _, name in used} & set(TEXTS)
    assert {(place, name) for place, name in used if name not in (*TEXTS, "text", "foreground")} == set()


@pytest.mark.parametrize("name", [shipped.name for shipped in SHIPPED])
@pytest.mark.parametrize("place", ["models", "filter", "arena"])
async def test_what_stands_on_the_screen_can_be_read(name: str, place: str) -> None:
    stage = Stage()
    app = stage.duel(theme=name) if place == "arena" else stage.app(theme=name)
    async with app.run_test(size=(120, 36)) as pilot:
        await sees(pilot, "fits" if place != "arena" else "ask both sides")
        if place == "filter":
            await pilot.press("slash", "a")
            await sees(pilot, "trained to")
        assert app.current_theme.name == name
        assert len(list(pieces(pilot))) > 10
        assert (mixed_colours(pilot) if app.current_theme.ansi else hard_to_read(pilot)) == set()


def test_contrast_is_that_of_the_guidelines() -> None:
    black, white = Color(0, 0, 0), Color(255, 255, 255)
    assert ratio(black, white) == ratio(white, black) == 21
    assert ratio(white, white) == 1
    assert ratio(Color.parse("#767676"), white) == pytest.approx(4.54, abs=0.005)
    assert ratio(Color.parse("#777777"), white) == pytest.approx(4.48, abs=0.005)


def test_what_a_variable_looks_like() -> None:
    black = Color(0, 0, 0)
    assert resolved("white 50%", black) == Color(127, 127, 127)
    assert resolved("auto 100%", black) == Color(255, 255, 255)
    assert resolved("rgb(1, 2, 3)", black) == Color(1, 2, 3)
    assert resolved("ansi_red", black) is None
    assert resolved("initial", black) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[colours\n", "line 1"),
        ("", "lacks primary, foreground, background"),
        ("colours = 3\n", "[colours]"),
        (GOOD + 'accent = "blurple"\n', "blurple"),
        (GOOD + "accent = 3\n", "accent is 3"),
        (GOOD + 'accent = "ansi_red"\n', "ansi = true"),
        (GOOD + 'acent = "red"\n', "acent"),
        (GOOD + '[variables]\ntext-mutd = "red"\n', "text-mutd"),
        (GOOD + '[variables]\ntext-muted = "red; display: none"\n', "no colour"),
        (GOOD + '[variables]\ntext-muted = "$primary"\n', "no colour"),
        (GOOD + "[variables]\ntext-muted = [1]\n", "text-muted"),
        (GOOD + '[variables]\nlink-style = "bald"\n', "bald"),
        (GOOD + '[variables]\nlink-style = ""\n', "text style"),
        ("dark = 1\n" + GOOD, "dark"),
        ("sound = 1\n" + GOOD, "sound"),
        ('"\\u001b[31m" = 1\n' + GOOD, "which no theme has"),
        ("a = " + "[" * 5000, "nested"),
    ],
)
def test_a_bad_theme_is_a_failure_with_its_reason(text: str, said: str) -> None:
    result = parse_theme(file(text))
    assert isinstance(result, Failure)
    assert said in result.message
    assert result.message.isprintable()
    assert "/themes/mine.toml" in result.hint


@pytest.mark.parametrize("name", ["", "Mine", "a b", "-a", "a/b", "x" * 41, "ü", "a\x1b"])
def test_names_that_no_style_class_can_have(name: str) -> None:
    assert isinstance(parse_theme(file(GOOD, name)), Failure)


def test_a_file_that_could_not_be_read_is_a_failure() -> None:
    result = parse_theme(ThemeFile("mine", Path("/x"), problem="it is not UTF-8"))
    assert isinstance(result, Failure)
    assert "not UTF-8" in result.message


def test_the_users_theme_takes_the_place_of_ours_unless_it_is_bad() -> None:
    ours, mine, bad = file(GOOD), file(GOOD.replace("#4488ff", "#ff8844")), file("[")
    assert load_themes([ours, mine]).themes["mine"].primary == "#ff8844"
    loaded = load_themes([ours, bad])
    assert loaded.themes["mine"].primary == "#4488ff"
    assert len(loaded.failures) == 1


def test_a_theme_of_three_colours_is_readable() -> None:
    light = GOOD.replace('"white"', '"#222222"').replace("rgb(0, 0, 0)", "#fafafa")
    for text in (GOOD, f"dark = false\n{light}"):
        assert low_contrast(css_variables(theme(text))) == []


def test_a_theme_that_is_hard_to_read_is_reported_and_used() -> None:
    loaded = load_themes([file(GOOD + '[variables]\ntext-error = "#222222"\n')])
    assert "mine" in loaded.themes
    (failure,) = loaded.failures
    assert "$text-error" in failure.message


def test_a_theme_may_set_styles_and_shares() -> None:
    made = theme(GOOD + '[variables]\nlink-style = "bold not underline"\ntext-muted = "auto 80%"\nboost = "red 10%"\n')
    assert made.variables["text-muted"] == "auto 80%"


def test_own_variables_have_defaults_that_can_be_used() -> None:
    for value in OWN_VARIABLES.values():
        Color.parse(value)


async def test_a_small_theme_of_the_terminals_colours_starts_the_app() -> None:
    text = 'ansi = true\n[colours]\nprimary = "ansi_blue"\nforeground = "ansi_default"\nbackground = "ansi_default"\n'
    app = Stage().app(theme="mine", theme_files=[*SHIPPED, file(text)])
    async with app.run_test() as pilot:
        await sees(pilot, "Alpha")
        assert app.theme == "mine"


async def test_an_unknown_theme_and_a_bad_one_are_told_and_the_default_is_taken() -> None:
    app = Stage().app(theme="none\x1b", theme_files=[*SHIPPED, file("[", "broken")])
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await wait_until(pilot, lambda: len(app._notifications) == 2)
        told = "\n".join(notice.message for notice in app._notifications)
        assert "broken is left out" in told
        assert "no theme none" in told
        assert "\x1b" not in told
        assert app.theme == "dark"


@pytest.mark.parametrize("name", ["dark", "terminal"])
async def test_no_color_is_respected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Stage().app(theme=name)
    async with app.run_test(size=(120, 36)) as pilot:
        await sees(pilot, "fits")
        assert app.no_color
        line = app.screen._compositor.render_strips(app.size)[5]
        for line_filter in app._filters:
            if line_filter.enabled:
                line = line.apply_filter(line_filter, Color(0, 0, 0))
        for segment in line:
            style = segment.style
            for colour in (style.color, style.bgcolor) if style is not None else ():
                if colour is not None and colour.triplet is not None:
                    assert len(set(colour.triplet)) == 1, segment
                else:
                    assert colour is None or colour.is_default, segment


async def test_the_cursor_is_seen_without_colours_of_our_own() -> None:
    async with Stage().app(theme="terminal").run_test(size=(120, 36)) as pilot:
        await sees(pilot, "fits")
        rows = pilot.app.screen._compositor.render_strips(pilot.app.size)
        reversed_rows = [
            "".join(segment.text for segment in row)
            for row in rows
            if all(segment.style is not None and segment.style.reverse for segment in row)
        ]
        (row,) = reversed_rows
        assert "›" in row
