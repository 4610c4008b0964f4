"""Presets: named sets of plan options, and the models that they are meant for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from qtui.core.errors import UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.options import OPTIONS, PlanValue, option_value, plain_value, with_options
from qtui.core.memory.plan import ALL_LAYERS, LoadMode, LoadPlan
from qtui.core.settings import Problem, Settings
from qtui.core.text import clean_name


@dataclass(frozen=True, slots=True)
class Preset:
    """A name and the plan options that it sets; the others stay as they are."""

    name: str
    options: Mapping[str, PlanValue] = field(default_factory=dict)
    """LoadPlan fields and their values."""
    about: str = ""
    match: tuple[str, ...] = ()
    """Patterns (`qwen3*`) of the models that it is taken for by itself, against model name, title, file name,
    repository and `REPO:QUANT`."""
    built_in: bool = False
    server: Mapping[str, str] = field(default_factory=dict)
    """Keys of llama-server's `presets.ini` that it came with and that no option says; kept for when it is exported."""

    def suits(self, variant: Variant) -> bool:
        """Tell whether it is meant for a variant by itself."""
        names = [variant.model, variant.title, variant.path.name]
        if variant.repository:
            names += [variant.repository, f"{variant.repository}:{variant.quant}"]
        return any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in self.match for name in names)


BUILT_IN = (
    Preset("balanced", {}, "the default plan", built_in=True),
    Preset(
        "safe", {"ctx_size": 4096, "n_gpu_layers": 0, "load_mode": LoadMode.MMAP},
        "a small context, nothing on a GPU, weights that the system may drop again", built_in=True,
    ),
    Preset("gpu", {"n_gpu_layers": ALL_LAYERS}, "every layer on the GPU, or refused", built_in=True),
)  # fmt: skip
"""The presets that qtui comes with; one of the user's with the same name takes the place."""
PRESET_KEYS = ("about", "match", "server", *OPTIONS)
"""What the table of a preset may hold."""


def apply_preset(plan: LoadPlan, preset: Preset) -> LoadPlan:
    """Return the plan with the preset's options and its name.

    Raises:
        UsageError: llama.cpp accepts no such plan; the message names preset and option.
    """
    try:
        return replace(with_options(plan, preset.options), preset=preset.name)
    except UsageError as error:
        raise UsageError(f"preset {preset.name}: {error.message}", error.hint) from error


def starting_plan(settings: Settings, presets: Iterable[Preset]) -> tuple[LoadPlan, Problem | None]:
    """Return the plan that the app starts with, by the settings; and why it is the default plan when they do not work.

    The options of `[plan]` are set first, then those of the preset.
    """
    plan = default = LoadPlan(engine=settings.engine)
    try:
        plan = with_options(plan, settings.plan)
        return (apply_preset(plan, named(settings.preset, presets)) if settings.preset else plan), None
    except UsageError as error:
        key = "preset" if plan != default or not settings.plan else "plan"
        return plan, Problem(key, f"is not used: {error.message}; {error.hint}")


def preset_for(variant: Variant, presets: Iterable[Preset]) -> Preset | None:
    """Return the first preset that is meant for a variant by itself, None when there is none."""
    return next((preset for preset in presets if preset.suits(variant)), None)


def named(name: str, presets: Iterable[Preset]) -> Preset:
    """Return a preset by its name.

    Raises:
        UsageError: there is none; the hint says which there are.
    """
    known = list(presets)
    found = next((preset for preset in known if preset.name == name), None)
    if found is None:
        raise UsageError(f"there is no preset {clean_name(name, 60)}", f"there are: {', '.join(p.name for p in known)}")
    return found


def check_name(name: str) -> None:
    """Refuse what cannot be a preset's name.

    Raises:
        UsageError: it is empty, longer than 60 characters, or holds what no line shows.
    """
    if not name.strip() or name != name.strip() or clean_name(name, 60) != name:
        raise UsageError(f"{clean_name(name, 60)!r} cannot be the name of a preset", "1 to 60 characters on one line")


def read_presets(table: Mapping[str, object]) -> tuple[tuple[Preset, ...], tuple[Problem, ...]]:
    """Read what a preset file holds, one table per preset: those that can be used, and what is wrong with the rest.

    An option that cannot be used is left out of its preset; a preset whose options do not go together is left out.
    """
    presets: list[Preset] = []
    problems: list[Problem] = []
    for name, entry in table.items():
        try:
            check_name(name)
        except UsageError as error:
            problems.append(Problem(clean_name(name), f"is left out: {error.message}"))
            continue
        if not isinstance(entry, Mapping):
            problems.append(Problem(name, "is not a table of plan options; it is left out"))
            continue
        preset, wrong = _read_preset(name, entry)
        problems += wrong
        try:
            apply_preset(LoadPlan(), preset)
        except UsageError as error:
            problems.append(Problem(name, f"is left out: {error.message}; {error.hint}"))
        else:
            presets.append(preset)
    return tuple(presets), tuple(problems)


def write_preset(preset: Preset) -> dict[str, object]:
    """Return a preset as the table that a file holds, without its name."""
    table: dict[str, object] = {}
    if preset.about:
        table["about"] = preset.about
    if preset.match:
        table["match"] = list(preset.match)
    if preset.server:
        table["server"] = dict(preset.server)
    for option in OPTIONS:
        if option in preset.options:
            table[option] = plain_value(option, preset.options[option])
    return table


def _read_preset(name: str, entry: Mapping[str, object]) -> tuple[Preset, list[Problem]]:
    options: dict[str, PlanValue] = {}
    problems: list[Problem] = []
    about, match = "", ()
    server: dict[str, str] = {}
    for key, value in entry.items():
        place = f"{name}.{clean_name(key)}"
        if key == "about" and isinstance(value, str):
            about = clean_name(value)
        elif key == "match" and isinstance(value, str | list) and all(isinstance(part, str) for part in value):
            match = (value,) if isinstance(value, str) else tuple(value)
        elif key == "server" and isinstance(value, Mapping) and all(isinstance(part, str) for part in value.values()):
            server = {clean_name(name): clean_name(part, 4096) for name, part in value.items()}
        elif key == "server":
            problems.append(Problem(place, "is not a table of texts; it is left out"))
        elif key in ("about", "match"):
            problems.append(Problem(place, "is not a text or a list of texts; it is left out"))
        else:
            try:
                options[key] = option_value(key, value)
            except ValueError as error:
                problems.append(Problem(place, str(error)))
    return Preset(name, options, about, match, server=server), problems
