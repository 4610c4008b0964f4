"""Makes Textual's themes of the text of theme files; a bad one is a failure with its reason, never a crash."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

from qtui.core.errors import Failure
from qtui.core.text import clean_name
from qtui.core.themes import ThemeFile
from qtui.ui.contrast import low_contrast

COLOURS = (
    "primary", "secondary", "accent", "success", "warning", "error", "foreground", "background", "surface", "panel",
    "boost",
)  # fmt: skip
"""What `[colours]` may name: Textual's base colours."""
REQUIRED = ("primary", "foreground", "background")
OWN_VARIABLES: Mapping[str, str] = {}
"""Variables of ours, beyond Textual's, and what they are where a theme does not set them."""
_TERMINAL = dict.fromkeys(
    ("ansi-background", "ansi-foreground", "foreground-disabled", "surface-active"), "ansi_default"
)
"""Variables that Textual's styles use and that its colour system does not make for the terminal's own colours."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_STYLE = re.compile(r"(?:(?:bold|dim|italic|underline2?|reverse|strike|blink|not|none|[bdiurs]|uu)(?: |$))+")
_ALPHA = re.compile(r"(.+?)\s+\d{1,3}%")


@dataclass(frozen=True, slots=True)
class Themes:
    """The themes that can be used, by name, and why others cannot."""

    themes: Mapping[str, Theme] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    """One per file that gives no theme, and one per theme whose text is hard to read."""


def load_themes(files: Iterable[ThemeFile]) -> Themes:
    """Make a theme of each file; of two with one name the later is taken, the earlier where the later is bad."""
    themes: dict[str, Theme] = {}
    failures: list[Failure] = []
    for file in files:
        result = parse_theme(file)
        if isinstance(result, Failure):
            failures.append(result)
            continue
        themes[result.name] = result
        if file.shipped:  # those are tested, and the app shall open at once
            continue
        pairs = low_contrast(css_variables(result))
        if pairs:
            worst = min(pairs, key=lambda pair: pair.ratio)
            failures.append(
                Failure(
                    f"theme {result.name}: ${worst.text} on ${worst.background} is hard to read "
                    f"(contrast {worst.ratio:.1f}; readable is 4.5)",
                    f"it is used all the same; change it in {clean_name(str(file.path), 400)}",
                    kind="bad_file",
                )
            )
    return Themes(themes, tuple(failures))


def parse_theme(file: ThemeFile) -> Theme | Failure:
    """Make a theme of one file's text."""
    try:
        reason = file.problem
        if not reason:
            return _theme(file.name, tomllib.loads(file.text))
    except tomllib.TOMLDecodeError as error:
        reason = f"not valid TOML: {clean_name(str(error))}"
    except RecursionError:
        reason = "nested too deeply"
    except _BadThemeError as error:
        reason = str(error)
    where = clean_name(str(file.path), 400)
    return Failure(f"theme {clean_name(file.name, 60)} is left out: {reason}", where, kind="bad_file")


def css_variables(theme: Theme) -> dict[str, str]:
    """Return every `$variable` as the app's styles see it under a theme."""
    return {**OWN_VARIABLES, **theme.to_color_system().generate(), **theme.variables}


def variable_defaults() -> dict[str, str]:
    """Return what the app gives for variables of ours that a theme does not set."""
    return dict(OWN_VARIABLES)


class _BadThemeError(ValueError):
    """Why a file gives no theme; the message is clean."""


def _theme(name: str, table: Mapping[str, Any]) -> Theme:
    # The name becomes a style class, which admits few characters.
    if not _NAME.fullmatch(name):
        raise _BadThemeError("a theme's file is named with small letters, digits and hyphens")
    unknown = [key for key in table if key not in ("about", "dark", "ansi", "colours", "variables")]
    if unknown:
        raise _BadThemeError(f"it holds {clean_name(unknown[0], 60)}, which no theme has")
    dark, ansi = table.get("dark", True), table.get("ansi", False)
    if not isinstance(dark, bool) or not isinstance(ansi, bool):
        raise _BadThemeError("dark and ansi are true or false")
    colours = _section(table, "colours")
    for key, value in colours.items():
        if key not in COLOURS:
            raise _BadThemeError(f"[colours] holds {clean_name(key, 60)}; it may hold {', '.join(COLOURS)}")
        _check_colour(key, value)
        if not ansi and Color.parse(value).ansi is not None:
            raise _BadThemeError(f"{key} is a colour of the terminal's: only a theme with ansi = true may have those")
    missing = [key for key in REQUIRED if key not in colours]
    if missing:
        raise _BadThemeError(f"[colours] lacks {', '.join(missing)}")
    theme = Theme(name, **colours, dark=dark, ansi=ansi)
    theme.variables = dict(_TERMINAL) if ansi else _readable(theme)
    variables = _section(table, "variables")
    known = css_variables(theme)
    for key, value in variables.items():
        if key not in known:
            raise _BadThemeError(f"there is no variable {clean_name(key, 60)}")
        _check_variable(key, value)
    theme.variables = {**theme.variables, **variables}
    return theme


def _readable(theme: Theme) -> dict[str, str]:
    """Return what a theme that sets little needs for text of any colour to be readable, also under the cursor."""
    ground, text = Color.parse(theme.background or ""), Color.parse(theme.foreground or "")
    muted = text.blend(ground, 0.3).hex
    return {
        "text-muted": muted,
        "foreground-muted": muted,
        "block-cursor-foreground": text.hex,
        "block-cursor-background": ground.blend(Color.parse(theme.primary), 0.2).hex,
        "block-cursor-blurred-background": ground.blend(text, 0.1).hex,
    }


def _section(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = table.get(name, {})
    if not isinstance(section, dict):
        raise _BadThemeError(f"{name} is no table: write [{name}]")
    return section


def _check_variable(name: str, value: object) -> None:
    if name.endswith("-style"):
        if not isinstance(value, str) or not _STYLE.fullmatch(value):
            raise _BadThemeError(f"{name} is {clean_name(repr(value), 60)}, not a text style such as bold or reverse")
        return
    if isinstance(value, str):
        match = _ALPHA.fullmatch(value)
        colour = match[1] if match else value
        if colour in ("auto", "initial"):
            return
        _check_colour(name, colour)
    else:
        _check_colour(name, value)


def _check_colour(name: str, value: object) -> None:
    try:
        if not isinstance(value, str):
            raise _BadThemeError(f"{name} is {clean_name(repr(value), 60)}, not a colour in quotes")
        Color.parse(value)
    except ColorParseError:
        raise _BadThemeError(f"{name} is {clean_name(repr(value), 60)}, which is no colour") from None
