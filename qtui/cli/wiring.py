"""The real services, made once per run and handed to the verb: the only place that knows them all."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from qtui.cli.hub_wiring import hub_services
from qtui.cli.making_wiring import local_workshop
from qtui.cli.measure_wiring import measure_parts
from qtui.cli.services import Services
from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Estimate
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.unaccounted import LeftOut
from qtui.core.ports import Described, DryRun
from qtui.core.settings import Settings


def local_services(options: Namespace) -> Services:
    """Return the services of this machine; nothing is started until it is used."""
    from qtui.services.demo import Demo
    from qtui.services.downloads.checksums import FileChecksums
    from qtui.services.engine import discovery
    from qtui.services.engine.answers import Answers
    from qtui.services.engine.client import BuiltInEngine
    from qtui.services.engine.dry_run import DryRunClient
    from qtui.services.engine.other_builds import Builds, other_build
    from qtui.services.engine.read_speeds import ReadSpeeds
    from qtui.services.engine.remembered import Remembered
    from qtui.services.engine.running_sessions import RunningSessions
    from qtui.services.evidence import EvidenceFiles
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
    from qtui.services.presets import PresetsFile
    from qtui.services.reports import keep_report, write_report
    from qtui.services.rounds import RoundsFile
    from qtui.services.settings import SettingsFile, expanded
    from qtui.services.suites import SuiteFiles
    from qtui.services.themes import read_themes

    running = RunningSessions()

    def estimate(variant: Variant, plan: LoadPlan) -> Estimate | None:
        return services.estimate(variant, plan)

    engine = BuiltInEngine(estimate=estimate)

    async def engines() -> Sequence[EngineInfo]:
        server = discovery.find_llama_server()
        others = [await discovery.llama_server(server)] if server else []
        return [await engine.info(), *others]

    async def this_machine() -> Sequence[str]:
        return (machine.hardware().cpu, (await engine.info()).build)

    past = HistoryFile()
    left_out = LeftOut(past.unaccounted)
    answers = Answers()

    async def other(name: str) -> tuple[Described, DryRun] | None:
        return await other_build(name, engine.info, answers=answers, left_out=left_out)

    store = SettingsFile()
    settings = store.load()
    machine = LocalMachine(pids=running.pids, loading=running.loading)
    given: list[Path] = getattr(options, "models_dir", [])

    def folders(settings: Settings) -> Sequence[Path]:
        own = (*settings.models_dirs, *filter(None, [settings.downloads_dir]))
        return [*given, *dict.fromkeys(map(expanded, own))]

    library = LocalLibrary(folders(settings))

    def look_in(_folders: Sequence[Path]) -> None:
        library.look_in(folders(services.settings))

    hub, downloads = hub_services(lambda: services.settings)
    services = Services(
        engine=engine,
        dry_run=DryRunClient(remembered=Remembered(engine.info, answers), left_out=left_out),
        left_out=left_out,
        other_build=other,
        build_of=Builds().of,
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
        close_engine=engine.close,
        dated=written,
        tables=LocalTables(),
        note=note,
        evidence=EvidenceFiles().load,
        history=past,
        rounds=RoundsFile(past),
        actuals=machine,
        speeds=ReadSpeeds(this_machine),
        settings=settings,
        settings_store=store,
        presets=PresetsFile(),
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
