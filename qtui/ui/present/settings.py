"""The settings as lines: what each is now, in words, and how it is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from textual.content import Content

from qtui.core.settings import LogLevel, Problem, Settings, plain_setting
from qtui.core.text import clean_name
from qtui.ui.present.table import Column, Row

COLUMNS = (Column("SETTING", 18), Column("VALUE", 16, grows=1), Column("", 22, grows=1, drop=1))
MARK_WIDTH = 3
FOLDERS = "models.folders"
MOST_TYPED = 4096
"""Characters of a setting that can be typed."""


class Change(Enum):
    """How a line is changed."""

    TYPED = auto()
    CHOSEN = auto()
    IN_FILE = auto()


@dataclass(frozen=True, slots=True)
class Line:
    """One setting, or one folder of the list."""

    id: str
    key: str
    """As the file names it."""
    label: str
    value: str
    about: str
    """One sentence, shown while the cursor stands on it."""
    note: str = ""
    change: Change = Change.TYPED
    choices: tuple[str, ...] = ()
    folder: int | None = None
    """The folder's place in the list."""


def setting_lines(settings: Settings, themes: Sequence[str]) -> tuple[Line, ...]:
    """Return every line, top to bottom."""
    count = len(settings.models_dirs)
    folders = [
        Line(f"folder:{i}", FOLDERS, "", str(path), "A folder that is searched for models. x takes it off the list.",
             folder=i)
        for i, path in enumerate(settings.models_dirs)
    ]  # fmt: skip
    ram, gpu = plain_setting(settings, "margins.ram"), plain_setting(settings, "margins.gpu")
    changed = len(settings.keys)
    return (
        Line(FOLDERS, FOLDERS, "folders", f"{count} of your own" if count else "none of your own",
             "Folders that are searched for models. Add one: its path; ~ is your home.",
             "besides the known places"),
        *folders,
        Line("margins.ram", "margins.ram", "keep free RAM", str(ram) if ram else "5 %, at least 1GiB",
             "What is kept free for everything else: 2GiB, 512MiB, 0. Empty: the default.",
             "" if ram else "default"),
        Line("margins.gpu", "margins.gpu", "keep free GPU", str(gpu) if gpu else "1GiB",
             "What is kept free on each graphics card: 1GiB, 512MiB, 0. Empty: the default.",
             "" if gpu else "default"),
        Line("engine", "engine", "engine", settings.engine,
             "What runs the models: built-in, llama-server, the path of one, or http://HOST:PORT of one that runs.",
             "llama.cpp in qtui" if settings.engine == "built-in" else ""),
        Line("theme", "theme", "theme", settings.theme,
             "Colours. The list shows each while the cursor stands on it; your own go beside the settings file.",
             f"{len(themes)} to choose from", Change.CHOSEN, tuple(themes)),
        Line("preset", "preset", "preset at start", settings.preset or "none",
             "The plan that qtui starts with. Empty: the default plan."),
        Line("downloads.folder", "downloads.folder", "downloads into",
             str(settings.downloads_dir) if settings.downloads_dir else "Hugging Face cache",
             "Where downloads go. Empty: the cache that other programs share.",
             "" if settings.downloads_dir else "default"),
        Line("downloads.parallel", "downloads.parallel", "downloads at once", str(settings.downloads_parallel),
             "How many files are fetched at the same time, 1 to 8."),
        Line("log_level", "log_level", "log", settings.log_level.value,
             "What qtui writes down about itself; never onto the screen. doctor says where.",
             "", Change.CHOSEN, tuple(level.value for level in LogLevel)),
        Line("keys", "keys", "keys", f"{changed} changed" if changed else "as they come",
             keys_about(settings),
             "in the file", Change.IN_FILE),
    )  # fmt: skip


def keys_about(settings: Settings) -> str:
    """Return the keys that the user has changed, and how that is done."""
    how = 'Changed in the file, under [keys], as in  "models.chat" = "space".  ? lists all commands.'
    changed = ", ".join(
        f"{clean_name(name, 40)} {clean_name(keys, 40) or 'none'}" for name, keys in settings.keys.items()
    )
    return f"{clean_name(changed, 100)}. {how}" if changed else how


def line_rows(lines: Sequence[Line]) -> tuple[Row, ...]:
    """Return the lines as rows of a table; a folder takes the whole width."""
    return tuple(Row(line.id, _cells(line)) for line in lines)


def _cells(line: Line) -> tuple[Content | None, ...]:
    value = Content(clean_name(line.value, 300))
    if line.folder is not None:
        return (Content("  ") + value, None, None)
    return (Content(line.label), value, Content.styled(line.note, "$foreground-muted"))


def choice_rows(line: Line) -> tuple[Row, ...]:
    """Return what can be chosen for a line."""
    return tuple(
        Row(choice, (Content(clean_name(choice, 60)),), mark="*" if choice == line.value else "")
        for choice in line.choices
    )


def typed_text(settings: Settings, line: Line) -> str:
    """Return what stands in the field when typing begins; nothing where a terminal would act on it."""
    if line.key == FOLDERS:
        text = "" if line.folder is None else str(settings.models_dirs[line.folder])
    else:
        plain = plain_setting(settings, line.key)
        default = str(settings.downloads_parallel) if line.key == "downloads.parallel" else ""
        text = default if plain is None else str(plain)
    return text if clean_name(text, MOST_TYPED) == text else ""


def typed_value(settings: Settings, line: Line, text: str) -> object:
    """Return what the file would hold for a typed text; None: the default."""
    text = text.strip()
    if line.key == FOLDERS:
        folders = [str(path) for path in settings.models_dirs]
        if line.folder is None:
            return [*folders, text] if text else folders
        folders[line.folder : line.folder + 1] = [text] if text else []
        return folders
    if not text:
        return None
    return int(text) if line.key == "downloads.parallel" and text.isascii() and text.isdigit() else text


def removed_value(settings: Settings, line: Line) -> object:
    """Return what the file would hold without this folder, or None: the default."""
    return None if line.folder is None else typed_value(settings, line, "")


def problem_lines(problems: Sequence[Problem]) -> Content:
    """Return what is wrong with the settings, one line each; empty when nothing is."""
    if not problems:
        return Content()
    lines = [Content.styled("Not used as it stands in the file", "bold $text-warning")]
    lines += [Content(f"  {clean_name(problem.line, 400)}") for problem in problems]
    return Content("\n").join(lines)
