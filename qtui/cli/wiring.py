"""The real services, made once per run and handed to the verb: the only place that knows them all."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from qtui.cli.advice_wiring import read_evidence, read_help
from qtui.cli.engine_wiring import engine_services, known_engines
from qtui.cli.hub_wiring import hub_services
from qtui.cli.making_wiring import local_workshop
from qtui.cli.measure_wiring import measure_parts
from qtui.cli.services import Services
from qtui.cli.serving_wiring import local_endpoints
from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Estimate
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.unaccounted import LeftOut
from qtui.core.settings import Settings
from qtui.core.user_path import expanded_path


def local_services(options: Namespace) -> Services:
    """Return the services of this machine; nothing is started until it is used."""
    from qtui.services.demo import Demo
    from qtui.services.downloads.checksums import FileChecksums
    from qtui.services.engine.answers import Answers
    from qtui.services.engine.dry_run import DryRunClient
    from qtui.services.engine.other_builds import OtherBuilds
    from qtui.services.engine.read_speeds import ReadSpeeds
    from qtui.services.engine.remembered import Remembered
    from qtui.services.engine.running_sessions import RunningSessions
    from qtui.services.file_hashes import FileHashes
    from qtui.services.history import HistoryFile
    from qtui.services.journal import note
    from qtui.services.judging.judge import LocalJudge
    from qtui.services.library.dates import written
    from qtui.services.library.facts import variant_facts
    from qtui.services.library.library import LocalLibrary
    from qtui.services.library.removal import LocalRemover
    from qtui.services.library.tables import LocalTables
    from qtui.services.machine.machine import LocalMachine
    from qtui.services.preset_ini import PresetIniFiles
    from qtui.services.presets import PresetsFile
    from qtui.services.reports import keep_report, write_report
    from qtui.services.rounds import RoundsFile
    from qtui.services.settings import SettingsFile
    from qtui.services.suites import SuiteFiles
    from qtui.services.themes import read_themes

    running = RunningSessions()

    def estimate(variant: Variant, plan: LoadPlan) -> Estimate | None:
        return services.estimate(variant, plan)

    engine, builds = engine_services(estimate, lambda: services.settings, lambda: services.endpoint)

    async def engines() -> Sequence[EngineInfo]:
        return await known_engines(engine, builds, services.settings)

    async def this_machine() -> Sequence[str]:
        return (machine.hardware().cpu, (await engine.info()).build)

    past = HistoryFile()
    left_out = LeftOut(past.unaccounted)
    answers = Answers()

    others = OtherBuilds(builds, engine.info, hosts=lambda: services.settings.rpc, answers=answers, left_out=left_out)
    store = SettingsFile()
    settings = store.load()
    machine = LocalMachine(pids=running.pids, loading=running.loading)
    given: list[Path] = getattr(options, "models_dir", [])

    def folders(settings: Settings) -> Sequence[Path]:
        own = (*settings.models_dirs, *filter(None, [settings.downloads_dir]))
        return [*given, *dict.fromkeys(map(expanded_path, own))]

    library = LocalLibrary(folders(settings))

    def look_in(_folders: Sequence[Path]) -> None:
        library.look_in(folders(services.settings))

    hub, downloads = hub_services(lambda: services.settings)
    services = Services(
        engine=engine,
        dry_run=DryRunClient(remembered=Remembered(engine.info, answers), left_out=left_out),
        left_out=left_out,
        other_build=others.of,
        build_of=others.info,
        machine=machine,
        library=library,
        demo=Demo(),
        engines=engines,
        sessions=running,
        facts=variant_facts,
        suites=SuiteFiles(),
        judge=LocalJudge,
        hashes=FileHashes(),
        write_report=write_report,
        keep_report=keep_report,
        endpoints=local_endpoints(note),
        close_engine=engine.close,
        dated=written,
        tables=LocalTables(),
        note=note,
        evidence=read_evidence,
        help_pages=read_help,
        history=past,
        rounds=RoundsFile(past),
        actuals=machine,
        speeds=ReadSpeeds(this_machine),
        settings=settings,
        settings_store=store,
        presets=PresetsFile(),
        preset_ini=PresetIniFiles(builds),
        theme_files=read_themes,
        look_in=look_in,
        remover=LocalRemover(library),
        hub=hub,
        downloads=downloads,
        checksums=FileChecksums(library),
        measures=measure_parts(past),
        workshop=local_workshop(),
    )
    return services
