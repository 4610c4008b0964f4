"""`preset`: named sets of plan options; to and from llama-server's presets.ini."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from qtui.cli.options import given_options, plan_of
from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.core.errors import BadFileError, UsageError
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.options import OPTIONS, flag, plain_value
from qtui.core.ports import PresetStore
from qtui.core.preset_ini.ports import PresetIni
from qtui.core.preset_ini.reading import import_presets
from qtui.core.preset_ini.text import parse_ini, write_ini
from qtui.core.preset_ini.writing import export_presets
from qtui.core.presets import Preset, named
from qtui.core.text import clean_name

HEAD = "Written by qtui preset export: llama-server --models-preset FILE"


async def preset(context: Context) -> int:
    """Do what is asked with presets."""
    options = context.options
    if options.action != "list" and not options.name:
        raise UsageError(f"preset {options.action} what?", "a name, or for import and export a file")
    if options.names and options.action != "export":
        raise UsageError(f"preset {options.action} takes one name", "quote a name with spaces")
    return await _ACTIONS[options.action](context)


def _store(context: Context) -> PresetStore:
    if context.services.presets is None:
        raise UsageError("there is no place for presets here", "")
    return context.services.presets


def _ini(context: Context) -> PresetIni:
    if context.services.preset_ini is None:
        raise UsageError("there is no place for presets here", "")
    return context.services.preset_ini


def _report(preset: Preset) -> dict[str, Any]:
    """Return one of `presets[]`."""
    return {
        "name": preset.name, "about": preset.about, "match": list(preset.match), "built_in": preset.built_in,
        "options": {name: plain_value(name, preset.options[name]) for name in OPTIONS if name in preset.options},
        "server": dict(preset.server),
    }  # fmt: skip


def _options_text(preset: Preset) -> str:
    values = ((name, plain_value(name, preset.options[name])) for name in OPTIONS if name in preset.options)
    return "  ".join(f"{flag(name)} {value}" for name, value in values) or "the default plan"


async def _list(context: Context) -> int:
    presets = _store(context).load()
    context.console.json({"presets": [_report(preset) for preset in presets], "problems": _problems(context)})
    table = Table(("PRESET", "WHOSE", "BY ITSELF FOR", "OPTIONS"))
    for preset in presets:
        whose = "qtui's" if preset.built_in else "yours"
        table.add(preset.name, whose, clean_name(", ".join(preset.match), 60) or "–", _options_text(preset))
    for line in table.lines(context.console.width):
        context.console.print(line)
    for problem in _problems(context):
        context.console.note(f"note: {problem}")
    return 0


def _problems(context: Context) -> list[str]:
    return [str(problem) for problem in _store(context).problems()]


async def _show(context: Context) -> int:
    found = named(context.options.name, _store(context).load())
    context.console.json(_report(found))
    context.console.print(f"{found.name}: {found.about}" if found.about else found.name)
    if found.match:
        context.console.print(f"taken by itself for {clean_name(', '.join(found.match), 400)}")
    for option in OPTIONS:
        if option in found.options:
            context.console.print(f"  {flag(option)} {plain_value(option, found.options[option])}")
    for key, value in found.server.items():
        context.console.print(f"  {key} = {value}  (of a presets.ini, not used)")
    return 0


async def _save(context: Context) -> int:
    options, store = context.options, _store(context)
    known = {preset.name: preset for preset in store.load() if not preset.built_in}
    old = known.get(options.name)
    if old is not None and not options.replace:
        raise UsageError(f"there is a preset {clean_name(options.name, 60)}", "--replace takes its place")
    plan = plan_of(options, presets=store.load())
    match = tuple(options.match) if options.match is not None else old.match if old else ()
    chosen = {name: getattr(plan, name) for name in given_options(options)}
    if options.preset:
        chosen = {**named(options.preset, store.load()).options, **chosen}
    made = Preset(
        options.name, chosen, options.about or (old.about if old else ""), match, server=old.server if old else {}
    )  # fmt: skip
    store.save(made)
    context.console.json(_report(made))
    context.console.print(f"saved {clean_name(made.name, 60)}: {_options_text(made)}")
    return 0


async def _delete(context: Context) -> int:
    store, name = _store(context), context.options.name
    found = named(name, store.load())
    if found.built_in:
        raise UsageError(f"{clean_name(name, 60)} is one of qtui's own", "only yours can be deleted")
    store.delete(name)
    context.console.json({"deleted": name})
    context.console.print(f"deleted {clean_name(name, 60)}")
    return 0


async def _import(context: Context) -> int:
    options, store, ini = context.options, _store(context), _ini(context)
    shown = clean_name(options.name, 400)
    text = await ini.read(Path(options.name))
    try:
        sections = parse_ini(text)
    except BadFileError as error:
        raise BadFileError(f"{shown}: {error.message}", error.hint) from error
    found = import_presets(sections, await ini.keys(options.server))
    own = {preset.name for preset in store.load() if not preset.built_in}
    notes, taken = list(found.notes), []
    for preset in found.presets:
        if preset.name in own and not options.replace:
            notes.append(f"{preset.name} is left out: there is one of that name (--replace takes its place)")
            continue
        store.save(preset)
        taken.append(preset)
    context.console.json({"file": shown, "presets": [_report(preset) for preset in taken], "notes": notes})
    for preset in taken:
        context.console.print(f"{preset.name}: {_options_text(preset)}")
    _say(context, notes, f"{len(taken)} of {len(found.presets)} presets taken from {shown}")
    return 0


async def _export(context: Context) -> int:
    options, store, ini = context.options, _store(context), _ini(context)
    presets = store.load()
    chosen = [named(name, presets) for name in options.names] or [one for one in presets if not one.built_in]
    if not chosen:
        raise UsageError("you have no presets yet", "name some: qtui preset export FILE safe gpu --for VARIANT")
    given = [await context.services.library.find(name) for name in options.variants]
    here = await _models(context)
    targets = {
        preset.name: (preset, tuple(dict.fromkeys([*given, *(one for one in here if preset.suits(one))])))
        for preset in chosen
    }
    made = export_presets(targets, await ini.keys(options.server))
    if not made.sections:
        raise UsageError("nothing can be written", "; ".join(made.notes) or "name a variant: --for VARIANT")
    await ini.write(Path(options.name), write_ini(made.sections, HEAD), overwrite=options.overwrite)
    shown = clean_name(options.name, 400)
    sections = [{"name": section.name, "keys": dict(section.keys)} for section in made.sections]
    context.console.json({"file": shown, "sections": sections, "notes": list(made.notes)})
    _say(context, made.notes, f"sections in {shown}: {len(made.sections)}")
    return 0


async def _models(context: Context) -> list[Variant]:
    folders = getattr(context.options, "models_dir", ())
    return [
        variant async for variant in context.services.library.scan(folders)
        if variant.role is Role.MODEL and variant.loadable
    ]  # fmt: skip


def _say(context: Context, notes: Sequence[str], last: str) -> None:
    for note in notes:
        context.console.note(f"note: {note}")
    context.console.print(last)


_ACTIONS: dict[str, Callable[[Context], Awaitable[int]]] = {
    "list": _list, "show": _show, "save": _save, "delete": _delete, "import": _import, "export": _export,
}  # fmt: skip
