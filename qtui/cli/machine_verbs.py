"""`doctor`: this machine, what qtui found on it, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from qtui import __version__
from qtui.cli.running import Context
from qtui.cli.services import Services
from qtui.core.engines import untrusted, untrusted_hosts
from qtui.core.errors import QtuiError
from qtui.core.hardware import EngineInfo, Gpu, Hardware, MemorySample
from qtui.core.text import size
from qtui.services.engine.discovery import unused_cards
from qtui.services.hub.access import HubAccess, hub_access
from qtui.services.paths import log_dir


async def doctor(context: Context) -> int:
    """Print what qtui found here, and what may be wrong with it."""
    console, services = context.console, context.services
    console.progress("asking llama.cpp")
    info = await services.engine.info()
    engines = await services.engines()
    sample = await services.machine.sample()
    hardware = services.machine.hardware()
    hub = hub_access()
    caches = [{"label": label, "path": str(path), "exists": path.is_dir()} for label, path in services.library.places()]
    log, log_problem = _log()
    settings = str(services.settings_store.path) if services.settings_store else None
    own = _settings_problems(services)
    problems = [*_problems(engines, sample), *([log_problem] if log_problem else []), *own]
    report = {
        "qtui": __version__,
        "llama_cpp": {
            "version": info.version, "build": info.build, "usable": info.usable, "problem": info.problem,
        },
        "cpu": {
            "name": hardware.cpu, "physical_cores": hardware.physical_cores,
            "logical_cores": hardware.logical_cores, "features": list(info.features),
        },
        "engines": [engine_report(engine) for engine in engines],
        "gpus": [asdict(gpu) for gpu in sample.gpus],
        "limits": {
            "ram": ram_report(sample), "swap": {"total": sample.swap_total, "used": sample.swap_used},
            "memlock": hardware.memlock_limit, "cgroup_memory": sample.cgroup_limit,
        },
        "caches": caches,
        "hub": hub.as_json(),
        "log": log,
        "settings": settings,
        "problems": problems,
    }  # fmt: skip
    console.json(report)
    for line in _doctor_lines(info, engines, sample, hardware, hub):
        console.print(line)
    for cache in caches:
        console.print(f"models     {cache['label']}: {cache['path']}{'' if cache['exists'] else ' (not there)'}")
    console.print(f"log        {log or 'none'}")
    if settings:
        console.print(f"settings   {settings}")
    for problem in problems:
        console.print(f"problem    {problem}")
    if not problems:
        console.print("no problems found")
    return 0


def engine_report(engine: EngineInfo) -> dict[str, Any]:
    """Return one of `engines[]`."""
    return {
        "name": engine.name,
        "version": engine.version,
        "build": engine.build,
        "usable": engine.usable,
        "rpc": engine.rpc,
        "problem": engine.problem,
        "devices": [asdict(device) for device in engine.devices],
    }


def memory_lines(sample: MemorySample) -> list[str]:
    """Return the sample as lines: RAM, swap, each card."""
    limit = f", limited to {size(sample.cgroup_limit)} by the control group" if sample.cgroup_limit else ""
    lines = [
        f"RAM        {size(sample.ram_available)} of {size(sample.ram_total)} free{limit}",
        f"swap       {size(sample.swap_used)} of {size(sample.swap_total)} used",
    ]
    lines += [f"GPU{gpu.index}       {_card(gpu)}" for gpu in sample.gpus]
    return lines


def _doctor_lines(
    info: EngineInfo, engines: Sequence[EngineInfo], sample: MemorySample, hardware: Hardware, hub: HubAccess
) -> list[str]:
    found = f"{info.build or '?'} (llama-cpp-python {info.version or '?'})" if info.usable else "cannot be used"
    locked = "no limit" if hardware.memlock_limit is None else size(hardware.memlock_limit)
    lines = [
        f"qtui       {__version__}",
        f"llama.cpp  {found}",
        f"CPU        {hardware.cpu}, {hardware.physical_cores} cores, {hardware.logical_cores} threads",
        f"features   {' '.join(info.features) or '?'}",
    ]
    for engine in engines:
        devices = ", ".join(f"{d.name} ({d.description})" for d in engine.devices) or "no devices"
        about = f"{devices}, RPC {'yes' if engine.rpc else 'no'}" if engine.usable else engine.problem
        build = f" {engine.build}" if engine.usable and engine is not engines[0] and engine.build else ""
        lines.append(f"engine     {engine.name}{build}: {about}")
    lines += memory_lines(sample)
    if not sample.gpus:
        lines.append(
            f"GPU        none found{''.join(f'; {said}' for said in sample.problems if said.startswith('NVML'))}"
        )
    token = {"environment": "from the environment", "file": f"in {hub.token_file}"}.get(hub.token, "none")
    lines.append(f"mlock      {locked}")
    lines.append(f"Hub        {hub.endpoint}{', offline' if hub.offline else ''}, token {token}")
    return lines


def _problems(engines: Sequence[EngineInfo], sample: MemorySample) -> list[str]:
    """Return what may be wrong; that there is no graphics card is not."""
    problems = [f"{engine.name}: {engine.problem}" for engine in engines if engine.problem]
    unused = unused_cards(sample.gpus, engines)
    if unused:
        problems.append(f"{unused.message}; {unused.hint}")
    absent = [said for said in sample.problems if said.startswith("NVML: no NVIDIA driver")]
    return [*problems, *(said for said in sample.problems if said not in absent)]


def _settings_problems(services: Services) -> list[str]:
    """Return what is wrong with the user's settings, presets and themes."""
    problems = [problem.text for problem in services.settings_problems()]
    risk = untrusted_hosts(services.settings.rpc)
    problems += [f"{risk}; only in a network that you trust"] if risk else []
    problems += [f"engine: {told}" for told in filter(None, (untrusted(services.settings.engine),))]
    own = [file for file in services.theme_files() if not file.shipped]
    if own:
        from qtui.ui.themes import load_themes

        problems += [f"{failure.message}; {failure.hint}" for failure in load_themes(own).failures]
    return problems


def _card(gpu: Gpu) -> str:
    return f"{size(gpu.free)} of {size(gpu.total)} free  {gpu.name}"


def ram_report(sample: MemorySample) -> dict[str, Any]:
    """Return `ram` of the objects of `monitor` and `doctor`."""
    return {
        "total": sample.ram_total,
        "available": sample.ram_available,
        "cgroup_limit": sample.cgroup_limit,
        "cgroup_used": sample.cgroup_used,
    }


def _log() -> tuple[str | None, str]:
    try:
        return str(log_dir()), ""
    except QtuiError as error:
        return None, error.message
