"""Settings: what the user wants of qtui, as values; and how they are read from and written as a table of plain values.

The file itself (TOML, `qtui.services.config`) is only a tree of tables here. A value that cannot be used is reported
and its default taken; what this version of qtui does not know is reported and kept.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtui.core.errors import UsageError
from qtui.core.text import GIB, KIB, MIB, clean_name, parse_size

if TYPE_CHECKING:  # the app reads its settings before it paints: plans and margins come later
    from qtui.core.memory.options import PlanValue
    from qtui.core.memory.verdict import Margins

DEFAULT_THEME = "dark"
BUILT_IN_ENGINE = "built-in"
MAX_SIZE = 1 << 50
_HOST = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,60}\]):\d{1,5}")
"""What llama.cpp's `--rpc` divides at commas."""


class LogLevel(StrEnum):
    """How much goes into the log, from most to least."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Keep(StrEnum):
    """How much of what is asked and answered is kept in the history."""

    ALL = "all"
    """Prompts, answers and numbers."""
    NUMBERS = "numbers"
    """No text: neither prompts nor answers."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file of the user's that is not used as it stands there. All text in it is clean."""

    key: str
    """Dotted (`margins.ram`); empty: the file as a whole."""
    message: str
    """What is wrong, and what is used instead."""
    file: str = ""
    """The path of the file."""

    @property
    def text(self) -> str:
        """Return it as one line, with its file."""
        return f"{clean_name(self.file, 400)}: {self.line}"

    @property
    def line(self) -> str:
        """Return it as one line, without its file."""
        return f"{self.key} {self.message}" if self.key else self.message


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user wants. Every field has a default; docs/settings.md describes the keys of the file."""

    models_dirs: tuple[Path, ...] = ()
    """Folders that are searched besides the known places."""
    margin_ram: int | None = None
    """Bytes of RAM kept free; None: `Margins` decides."""
    margin_gpu: int | None = None
    """Bytes kept free on each GPU; None: `Margins` decides."""
    engine: str = BUILT_IN_ENGINE
    """What runs models where nothing else is said: `built-in`, `llama-server`, the path of one, or an address."""
    rpc: tuple[str, ...] = ()
    """Machines that lend their devices to a llama-server that has RPC, each as `host:port`."""
    theme: str = DEFAULT_THEME
    log_level: LogLevel = LogLevel.WARNING
    preset: str = ""
    """The preset that the app starts with; empty: none."""
    plan: Mapping[str, PlanValue] = field(default_factory=dict)
    """LoadPlan fields that the app starts with instead of its defaults; the preset goes over them."""
    downloads_dir: Path | None = None
    """None: the Hugging Face cache."""
    downloads_parallel: int = 2
    """Files at once, 1 to 8."""
    token_for_mirror: bool = False
    """Send the Hub's token to what HF_ENDPOINT names, where that is not huggingface.co."""
    keep: Keep = Keep.ALL
    """How much of rounds the history keeps."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Command id to Textual's key names, separated by commas; empty: no key."""

    @property
    def margins(self) -> Margins:
        """Return what is kept free."""
        from qtui.core.memory.verdict import Margins

        default = Margins()
        return Margins(self.margin_ram, default.gpu if self.margin_gpu is None else self.margin_gpu)


def read_settings(table: Mapping[str, object]) -> tuple[Settings, tuple[Problem, ...]]:
    """Read what a settings file holds: the usable values, and what is wrong with the rest."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    flat = flatten(table)
    for key, value in flat.items():
        section, _, name = key.partition(".")
        try:
            if key in _KEYS:
                field_name, convert, _ = _KEYS[key]
                values[field_name] = convert(value)
            elif section == "keys" and name:
                values.setdefault("keys", {})[name] = _key_names(value)
            elif section == "plan" and name:
                from qtui.core.memory.options import option_value

                values.setdefault("plan", {})[name] = option_value(name, value)
            elif key in _SECTIONS:
                problems.append(Problem(key, "is not a table; it is left out"))
            else:
                problems.append(Problem(clean_name(key), _unknown(key)))
        except (ValueError, TypeError, OverflowError) as error:
            problems.append(Problem(clean_name(key), str(error)))
    return Settings(**values), tuple(problems)


def write_settings(settings: Settings) -> dict[str, object]:
    """Return the settings as dotted keys and plain values, without those that have their default."""
    result: dict[str, object] = {}
    default = Settings()
    for key, (name, _, plain) in _KEYS.items():
        value = getattr(settings, name)
        if value != getattr(default, name):
            result[key] = plain(value)
    for command, keys in settings.keys.items():
        result[f"keys.{command}"] = keys
    if settings.plan:
        from qtui.core.memory.options import plain_value
    for option, value in settings.plan.items():
        result[f"plan.{option}"] = plain_value(option, value)
    return result


def with_setting(settings: Settings, key: str, value: object) -> Settings:
    """Return the settings with one key of the file (`margins.ram`) set to a plain value; None: to its default.

    Raises:
        UsageError: the value cannot be used; the message says why.
    """
    name, convert, _ = _KEYS[key]
    made: Any
    try:
        made = getattr(Settings(), name) if value is None else convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError(f"{key} {str(error).partition(';')[0]}", "it stays as it was") from error
    changed: Settings = replace(settings, **{name: made})
    return changed


def plain_setting(settings: Settings, key: str) -> object:
    """Return what the file writes for a key (`margins.ram`); None where it has its default."""
    return write_settings(settings).get(key)


def flatten(table: Mapping[str, object]) -> dict[str, object]:
    """Return nested tables as dotted keys, two levels deep at most: below a section, names may hold dots."""
    result: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and (value or key in _SECTIONS):
            for name, inner in value.items():
                _flatten_into(result, f"{key}.{name}", inner)
        else:
            result[key] = value
    return result


def _flatten_into(result: dict[str, object], key: str, value: object) -> None:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            _flatten_into(result, f"{key}.{name}", inner)
    else:
        result[key] = value


def size_text(size_bytes: int) -> str:
    """Return bytes as the file writes them: the largest unit that leaves a whole number (`1536MiB`), or bytes."""
    for factor, unit in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    return str(size_bytes)


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, _KEYS, 1)
    return "is not known to this version of qtui; it is kept" + (f". Is it meant to be {near[0]}?" if near else "")


def _wrong(value: object, wanted: str, used: str = "the default is used") -> ValueError:
    return ValueError(f"is {clean_name(repr(value), 60)}, not {wanted}; {used}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "a text")
    return clean_name(value, 4096)


def _engine(value: object) -> str:
    from qtui.core.engines import NAMES, engine_kind

    text = _text(value) or BUILT_IN_ENGINE
    try:
        engine_kind(text)
    except UsageError:
        raise _wrong(value, NAMES) from None
    return text


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise _wrong(value, "a folder")
    # `~` is left to who opens it: whose home it is, the core does not ask.
    return Path(value)


def _optional_path(value: object) -> Path | None:
    return None if value == "" else _path(value)


def _paths(value: object) -> tuple[Path, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise _wrong(value, "a list of folders")
    return tuple(dict.fromkeys(_path(part) for part in value))


def _hosts(value: object) -> tuple[str, ...]:
    wanted = 'a list of machines such as "192.168.1.20:50052"'
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(part, str) and _HOST.fullmatch(part) for part in value):
        raise _wrong(value, wanted)
    if any(not 0 < int(part.rpartition(":")[2]) < 1 << 16 for part in value):
        raise _wrong(value, wanted)
    return tuple(dict.fromkeys(value))


def _size(value: object) -> int:
    wanted = 'a size such as "1GiB"'
    if isinstance(value, int) and not isinstance(value, bool):
        parsed = value
    elif isinstance(value, str):
        try:
            parsed = parse_size(value)
        except (ValueError, OverflowError):
            raise _wrong(value, wanted) from None
    else:
        raise _wrong(value, wanted)
    if not 0 <= parsed <= MAX_SIZE:
        raise _wrong(value, wanted)
    return parsed


def _parallel(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 8:
        raise _wrong(value, "a number from 1 to 8")
    return value


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _level(value: object) -> LogLevel:
    try:
        return LogLevel(_text(value))
    except ValueError:
        raise _wrong(value, f"one of {', '.join(LogLevel)}") from None


def _keep(value: object) -> Keep:
    try:
        return Keep(_text(value))
    except ValueError:
        raise _wrong(value, f"one of {', '.join(Keep)}") from None


def _key_names(value: object) -> str:
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, str) for part in parts):
        raise _wrong(value, "a key or a list of keys", "the command keeps its own")
    return ",".join(clean_name(str(part).strip(), 60) for part in parts)


_KEYS: dict[str, tuple[str, Callable[[object], object], Callable[[Any], object]]] = {
    "theme": ("theme", _text, str),
    "engine": ("engine", _engine, str),
    "rpc": ("rpc", _hosts, list),
    "log_level": ("log_level", _level, str),
    "preset": ("preset", _text, str),
    "models.folders": ("models_dirs", _paths, lambda paths: [str(path) for path in paths]),
    "margins.ram": ("margin_ram", _size, size_text),
    "margins.gpu": ("margin_gpu", _size, size_text),
    "downloads.folder": ("downloads_dir", _optional_path, str),
    "downloads.parallel": ("downloads_parallel", _parallel, int),
    "hub.token_for_mirror": ("token_for_mirror", _switch, bool),
    "history.keep": ("keep", _keep, str),
}
"""Key of the file: field, how it is read, how it is written."""
_SECTIONS = ("models", "margins", "downloads", "hub", "history", "keys", "plan")
SETTING_KEYS = (*_KEYS, "keys.COMMAND")
"""Every key but those of plan options (`qtui.core.memory.options.OPTIONS`), for the page that describes them."""
