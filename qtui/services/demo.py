"""The embedded demo model: its file in the package, and the quants that are made of it in the cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import qtui
from qtui.core.demo import DEMO_MODEL, DEMO_QUANTS, DemoProgress
from qtui.core.errors import QtuiError, UsageError
from qtui.core.quantise.messages import Quantised, QuantiseProgressed
from qtui.core.quantise.recipe import Recipe
from qtui.core.text import clean, clean_name
from qtui.services.engine.quantise import quantise
from qtui.services.files import write_atomic
from qtui.services.paths import cache_path

SOURCE = Path(qtui.__file__).parent / "data" / "demo" / f"{DEMO_MODEL}-F16.gguf"
MANIFEST = "demo.json"


class Demo:
    """The demo model's files: the shipped F16 one, and the quants in `folder`."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_path() / "demo"

    def path(self, quant: str) -> Path:
        """Return where a quant lies, or will lie; `F16` is the shipped file.

        Raises:
            UsageError: the demo has no such quant.
        """
        if quant == "F16":
            return SOURCE
        if quant not in DEMO_QUANTS:
            raise UsageError(f"the demo has no {clean_name(quant)}", f"it has F16, {', '.join(DEMO_QUANTS)}")
        return self.folder / f"{DEMO_MODEL}-{quant}.gguf"

    def missing(self) -> tuple[str, ...]:
        """Return the quants that are not there, incomplete, or of another version of the model."""
        known = self._manifest()
        fresh = known.get("source") == _digest(SOURCE)
        sizes = known.get("sizes")
        if not fresh or not isinstance(sizes, dict):
            return DEMO_QUANTS
        return tuple(quant for quant in DEMO_QUANTS if _size(self.path(quant)) != sizes.get(quant, "not made"))

    async def prepare(self) -> AsyncGenerator[DemoProgress]:
        """Make what is missing, one quant after the other, each whole or not at all; yields nothing when all is there.

        Raises:
            QtuiError: the folder cannot be written, the disk is full, or llama.cpp refuses.
        """
        missing = self.missing()
        if not missing:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QtuiError(
                f"cannot make the demo's folder {clean_name(str(self.folder))}: {clean(error.strerror or str(error))}",
                "set XDG_CACHE_HOME to a folder that can be written",
            ) from error
        digest = _digest(SOURCE)
        known = self._manifest()
        kept = known.get("sizes") if known.get("source") == digest else None
        sizes = dict(kept) if isinstance(kept, dict) else {}
        for index, quant in enumerate(missing, start=1):
            yield DemoProgress(quant, index, len(missing), 0, 0)
            async with contextlib.aclosing(quantise(SOURCE, self.path(quant), Recipe(quant), overwrite=True)) as events:
                async for event in events:
                    if isinstance(event, QuantiseProgressed):
                        yield DemoProgress(quant, index, len(missing), event.done, event.total, event.tensor)
                    elif isinstance(event, Quantised):
                        sizes[quant] = event.size
            manifest = json.dumps({"source": digest, "sizes": sizes}, indent=1)
            write_atomic(self.folder / MANIFEST, manifest.encode(), mode=0o644)
        yield DemoProgress(missing[-1], len(missing), len(missing), 1, 1)

    def clean(self) -> list[Path]:
        """Remove what `prepare` made, parts of an interrupted run too; returns the files that were removed.

        Raises:
            QtuiError: a file cannot be removed.
        """
        ours = {self.path(quant) for quant in DEMO_QUANTS} | {self.folder / MANIFEST}
        ours.update(self.folder.glob(f".{DEMO_MODEL}-*.part"))
        removed = []
        try:
            for path in sorted(ours):
                if path.is_file() or path.is_symlink():
                    path.unlink()
                    removed.append(path)
            if self.folder.is_dir() and not any(self.folder.iterdir()):
                self.folder.rmdir()
        except OSError as error:
            raise QtuiError(
                f"cannot clean {clean_name(str(self.folder))}: {clean(error.strerror or str(error))}",
                "remove the folder by hand",
            ) from error
        return removed

    def _manifest(self) -> dict[str, object]:
        try:
            value = json.loads((self.folder / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
