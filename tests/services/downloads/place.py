"""A Hub, a cache and one file between them: what the tests of downloading share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from qtui.core.downloads.download import Download, new_download
from qtui.core.downloads.files import RemoteFile
from qtui.core.downloads.landing import Landing, cache_landing
from qtui.core.downloads.messages import FetchJob, FetchNoted, FileFetched, Pace
from qtui.core.errors import QtuiError
from qtui.services.downloads.child.fetch import Fetch
from qtui.services.downloads.child.parent import Stop, StoppedError
from qtui.services.downloads.child.progress import Progress
from tests.hub.content import Content, Noise
from tests.hub.repository import Repository
from tests.hub.server import LocalHub

REPOSITORY = "acme/Tiny-GGUF"
NAME = "Tiny-Q4_K_M.gguf"
QUICK = Pace(stall=0.5, backoff=0.001, longest=0.005, tries=4, lock=0.05)
MIB = 1 << 20


@dataclass
class Ran:
    """How one run of the byte loop ended."""

    received: int
    notes: list[str]
    paths: list[Path] = field(default_factory=list)
    error: QtuiError | None = None
    stopped: bool = False


class _StoppingProgress(Progress):
    """Asks for a stop as soon as a count is reached."""

    def __init__(self, send: Callable[[object], None], stop: Stop, at: int) -> None:
        self._wish, self._at = stop, at
        super().__init__(send)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "here" and isinstance(value, int) and value >= self._at > 0:
            self._wish.set()


@dataclass
class Place:
    """One repository on a Hub of its own, and where its files go."""

    hub: LocalHub
    cache: Path
    repository: Repository
    files: dict[str, Content]
    stop: Stop = field(default_factory=lambda: Stop(leave=lambda status: status))

    @property
    def commit(self) -> str:
        return self.repository.head.sha

    def remote(self, name: str = NAME) -> RemoteFile:
        """Return a file as the Hub lists it now."""
        content = self.repository.head.files[name]
        return RemoteFile(name, content.size, content.sha256)

    def landing(self, name: str = NAME) -> Landing:
        return cache_landing(self.cache, REPOSITORY, self.commit, "main", self.remote(name))

    def job(self, *names: str, pace: Pace = QUICK) -> FetchJob:
        files = tuple(self.remote(name) for name in names or (NAME,))
        return FetchJob(REPOSITORY, self.commit, files, str(self.cache), self.hub.endpoint, pace=pace)

    def download(self, *names: str, folder: str = "") -> Download:
        return new_download(REPOSITORY, self.commit, [self.remote(name) for name in names or (NAME,)], folder=folder)

    def change(self, content: Content, name: str = NAME) -> None:
        """Put other bytes under the name, in a new commit."""
        self.files[name] = content
        self.repository.commit({name: content})

    def run(self, job: FetchJob | None = None, *, stop_at: int | None = None) -> Ran:
        """Run the byte loop in this process, as the child does; stop it when so many bytes of a file are here."""
        said: list[object] = []
        progress = Progress(said.append) if stop_at is None else _StoppingProgress(said.append, self.stop, stop_at)
        ran = Ran(0, [])
        try:
            for fetched in Fetch(job or self.job(), self.stop, progress).run():
                assert isinstance(fetched, FileFetched)
                ran.paths.append(Path(fetched.path))
        except StoppedError:
            ran.stopped = True
        except QtuiError as error:
            ran.error = error
        ran.received = progress.received
        ran.notes = [event.text for event in said if isinstance(event, FetchNoted)]
        return ran

    def restart(self) -> None:
        """Take back a stop."""
        self.stop = Stop(leave=lambda status: status)

    def is_right(self, name: str = NAME) -> bool:
        """Tell whether the file is in its place with the right bytes; a place with others fails at once."""
        landing = self.landing(name)
        sha256 = self.remote(name).sha256
        for path in (landing.final, landing.name):
            if path.exists():
                assert sha256_of(path) == sha256, f"{path} holds other bytes"
        return landing.final.exists() and landing.name.exists()

    def leftovers(self) -> list[str]:
        """Return what lies beside the blobs that is no blob."""
        blobs = self.landing().final.parent
        return sorted(path.name for path in blobs.iterdir() if "." in path.name) if blobs.is_dir() else []


def make_place(hub: LocalHub, cache: Path, files: dict[str, Content]) -> Place:
    repository = hub.add(Repository(REPOSITORY))
    repository.commit(files)
    return Place(hub, cache, repository, files)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def noise(size: int = 3 * MIB, seed: int = 1) -> Noise:
    return Noise(size, seed)


def quick(job: FetchJob, **changes: float) -> FetchJob:
    """Return a job with another patience."""
    return replace(job, pace=replace(job.pace, **changes))  # type: ignore[arg-type]


def names(paths: Sequence[Path]) -> list[str]:
    return [path.name for path in paths]
