"""A home with models in the folders of every program, made from a recipe that says what a library must find in it.

Every number of `Recipe` is counted as the files are written, not by looking at them afterwards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.builders.gguf import Image
from tests.services.library.tree import model_image, put_cached, put_ollama, put_shards

QUANTS = ("Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
OLD_NS, NEW_NS = 1_600_000_000_000_000_000, 1_700_000_000_000_000_000


@dataclass
class Recipe:
    """What lies in the home, counted while it was written."""

    rows: int = 0
    """Variants, whole or not."""
    names: int = 0
    """Paths of the first files of all rows together."""
    copies: int = 0
    reclaimable: int = 0
    """Bytes that deleting all copies would free."""
    half: int = 0
    """Sets of shards with gaps."""
    partial: int = 0
    truncated: int = 0
    alien: int = 0
    """Files that are called .gguf and are none."""
    by_owner: dict[str, int] = field(default_factory=dict)


@dataclass
class Home:
    """The folders of one made-up user; the environment points at them."""

    home: Path

    @property
    def hub(self) -> Path:
        """Return the Hugging Face cache."""
        return self.home / "huggingface" / "hub"

    @property
    def own(self) -> Path:
        """Return a folder that the user would name."""
        return self.home / "own models"

    @property
    def studio(self) -> Path:
        """Return LM Studio's folder."""
        return self.home / ".lmstudio" / "models"

    @property
    def ollama(self) -> Path:
        """Return Ollama's store."""
        return self.home / ".ollama" / "models"

    def folder(self, owner: str) -> Path:
        """Return the folder of a program that keeps plain files."""
        return {
            "llama.cpp": self.home / "xdg_cache_home" / "llama.cpp",
            "jan": self.home / "xdg_data_home" / "Jan" / "data" / "llamacpp" / "models",
            "koboldcpp": self.home / "koboldcpp",
            "text-generation-webui": self.home / "text-generation-webui" / "user_data" / "models",
            "lm-studio": self.studio,
            "user": self.own,
        }[owner]


def make_library(home: Path, rows: int = 2000) -> tuple[Home, Recipe]:
    """Write a library of exactly `rows` variants, at least 400, below a home."""
    return _Writer(Home(home), rows).write()


class _Writer:
    def __init__(self, home: Home, rows: int) -> None:
        self.home = home
        self.recipe = Recipe()
        self._wanted = rows
        self._unit = rows // 100
        self._numbers = count()

    def write(self) -> tuple[Home, Recipe]:
        unit = self._unit
        cached = [self._hub(shared=number % 2 == 0) for number in range(28 * unit)]
        pulled = [self._ollama() for _ in range(14 * unit)]
        stored = [self._plain("lm-studio", "pub{0}/Repo{0}-GGUF/Model{0}-{1}.gguf") for _ in range(18 * unit)]
        llama_cpp = [self._plain("llama.cpp", "owner_repo{0}_Model{0}-{1}.gguf") for _ in range(9 * unit)]
        for _ in range(6 * unit):
            self._plain("jan", "Model{0}-{1}/model.gguf")
            self._plain("koboldcpp", "Model{0}-{1}.gguf")
        for _ in range(3 * unit):
            self._plain("text-generation-webui", "Model{0}-{1}.gguf")
        for number, source in enumerate(cached[: 5 * unit]):
            self._copy(source, self.home.own / "copies" / f"hub-copy-{number}.gguf")
        for number, source in enumerate(pulled[: 2 * unit]):
            self._copy(source, self.home.studio / f"pub/copies-{number}/ollama-copy.gguf", owner="lm-studio")
        for number, source in enumerate(cached[5 * unit : 6 * unit]):
            self._copy(
                source, self.home.own / "kept" / f"kept-copy-{number}.gguf", kept_by=self.home.home / "elsewhere"
            )
        for number, source in enumerate(stored[: 2 * unit]):
            self._name(number, source, hard=True)
        for number, source in enumerate(llama_cpp[:unit]):
            self._name(number, source, hard=False)
        self._shards()
        self._broken()
        while self.recipe.rows < self._wanted:
            self._plain("user", "more/Model{0}-{1}.gguf")
        (self.home.own / "loop").symlink_to(self.home.own)
        return self.home, self.recipe

    def _image(self) -> tuple[int, str, Image]:
        number = next(self._numbers)
        quant = QUANTS[number % len(QUANTS)]
        return number, quant, model_image(f"Model {number}B", quant)

    def _row(self, owner: str, names: int = 1) -> None:
        self.recipe.rows += 1
        self.recipe.names += names
        self.recipe.by_owner[owner] = self.recipe.by_owner.get(owner, 0) + 1

    def _hub(self, *, shared: bool) -> Path:
        number, quant, image = self._image()
        digest = hashlib.sha256(image.bytes()).hexdigest()
        repository, file = f"owner{number % 7}/Model{number // 8}B-GGUF", f"Model{number}-{quant}.gguf"
        commits = ("c" * 40, "d" * 40) if number % 10 == 0 else ("c" * 40,)
        paths = [put_cached(self.home.hub, repository, c, file, image, digest=digest, shared=shared) for c in commits]
        os.utime(paths[0], ns=(OLD_NS, OLD_NS))
        self._row("huggingface", len(paths))
        return paths[0]

    def _ollama(self) -> Path:
        number, quant, image = self._image()
        blob = put_ollama(self.home.ollama, f"library/model{number}", image, tag=quant.lower())
        os.utime(blob, ns=(OLD_NS, OLD_NS))
        self._row("ollama")
        return blob

    def _plain(self, owner: str, name: str) -> Path:
        number, quant, image = self._image()
        path = self.home.folder(owner) / name.format(number, quant)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.write(path)
        os.utime(path, ns=(OLD_NS, OLD_NS))
        self._row(owner)
        return path

    def _copy(self, source: Path, target: Path, *, owner: str = "user", kept_by: Path | None = None) -> None:
        """Copy a file; `kept_by`: a folder that nobody scans holds another name of the copy."""
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        os.utime(target, ns=(NEW_NS, NEW_NS))
        self._row(owner)
        self.recipe.copies += 1
        if kept_by is None:
            self.recipe.reclaimable += target.stat().st_size
        else:
            kept_by.mkdir(exist_ok=True)
            os.link(target, kept_by / target.name)

    def _name(self, number: int, source: Path, *, hard: bool) -> None:
        """Give a file another name in the user's folder: no row of its own."""
        path = self.home.own / "names" / f"{'hard' if hard else 'soft'}-{number}.gguf"
        path.parent.mkdir(parents=True, exist_ok=True)
        if hard:
            os.link(source, path)
        else:
            path.symlink_to(source)
        self.recipe.names += 1

    def _shards(self) -> None:
        for number in range(self._unit):
            whole = self._set(f"whole{number}", 3)
            if number % 2 == 0:
                target = self.home.own / f"whole{number} again"
                shutil.copytree(whole[0].parent, target)
                for path in target.iterdir():
                    os.utime(path, ns=(NEW_NS, NEW_NS))
                    self.recipe.reclaimable += path.stat().st_size
                self._row("user")
                self.recipe.copies += 1
            self._set(f"half{number}", 3, skip=(2,))
            self.recipe.half += 1

    def _set(self, name: str, total: int, skip: tuple[int, ...] = ()) -> list[Path]:
        paths = put_shards(self.home.own / name, f"{name}-Q4_K_M", total, skip)
        for index, path in enumerate(paths):
            if path.exists():
                with path.open("ab") as stream:  # llama.cpp ignores what follows the tensors; no two sets are equal
                    stream.write(f"{name} {index}".encode())
                os.utime(path, ns=(OLD_NS, OLD_NS))
        self._row("user")
        return paths

    def _broken(self) -> None:
        for path in self._bad("x-Q4_0.gguf.part"):
            path.write_bytes(b"GGUF")
            self.recipe.partial += 1
        for path in self._bad("cut-Q4_0.gguf"):
            path.write_bytes(model_image(path.parent.name, "Q4_0").bytes()[:-64])
            self.recipe.truncated += 1
        for path in self._bad("page.gguf"):
            path.write_bytes(b"<html>" * 9)
            self.recipe.alien += 1

    def _bad(self, name: str) -> Iterator[Path]:
        for number in range(max(1, self._unit // 2)):
            path = self.home.own / f"bad{number}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            yield path
            self._row("user")
