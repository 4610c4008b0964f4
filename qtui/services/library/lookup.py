"""Finds the one variant that a name on the command line means."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qtui.core.errors import BadFileError, NoSuchFileError, UsageError
from qtui.core.gguf.names import parse_name, split_part
from qtui.core.gguf.shards import group
from qtui.core.hub.address import Address, parse_address
from qtui.core.library.grouping import name_key
from qtui.core.library.owner import Owner
from qtui.core.library.variant import Role, Variant
from qtui.core.text import clean, clean_name
from qtui.services.library.hf_cache import LABEL, blob_hash, repository_of
from qtui.services.library.items import Item, has_header
from qtui.services.library.places import Place, label_of
from qtui.services.library.walk import Found

MAX_LISTED = 6
LOADABLE = (Role.MODEL, Role.EMBEDDING)


@dataclass(frozen=True, slots=True)
class Name:
    """A variant's name as the user wrote it."""

    text: str

    @property
    def quant(self) -> tuple[str, str] | None:
        """Return (repository, label) of `REPO:QUANT`, else None."""
        repository, colon, label = self.text.rpartition(":")
        return (repository, label) if colon and label and "/" in repository and "/" not in label else None

    @property
    def model(self) -> tuple[str, str] | None:
        """Return (model, label) of `MODEL:QUANT`, as `ls` shows them, else None."""
        model, colon, label = self.text.rpartition(":")
        return (model, label) if colon and model and label and "/" not in self.text else None

    @property
    def looks_like_path(self) -> bool:
        """Tell whether only a file can be meant."""
        text = self.text
        return text.startswith(("/", ".", "~")) or "/" not in text or text.casefold().endswith(".gguf")


def hub_address(text: str) -> Address | None:
    """Return what a name may mean on the Hub; None where it can only be of this machine.

    `A/B/FILE` is a path where there is a folder `A`.
    """
    address = parse_address(text)
    if address is not None and address.file and os.path.isdir(text.partition("/")[0]):  # noqa: PTH112 - it never fails
        return None
    return address


def existing(text: str, *, links: bool = False) -> Path | None:
    """Return the absolute path of what exists under this name, links kept; None when nothing does.

    Args:
        text: as the user wrote it.
        links: a link to nothing exists too.

    Raises:
        BadFileError: a link to nothing, or a folder on the way may not be entered.
    """
    if not text:
        return None
    try:
        path = Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111 - links are kept
        path.lstat() if links else path.stat()
    except ValueError:
        return None
    except OSError as error:
        if isinstance(error, PermissionError):
            raise BadFileError(f"{clean_name(text)}: may not be read", "Check the folder's permissions.") from error
        if os.path.islink(os.path.expanduser(text)):  # noqa: PTH111, PTH114 - it never fails
            raise BadFileError(
                f"{clean_name(text)}: a link to a file that is gone", "Fetch the file again, or remove the link."
            ) from error
        return None
    return path


def item_at(path: Path) -> Item:
    """Return the file at an existing path, with the shards that lie beside it.

    Raises:
        BadFileError: one part of a file that has to be joined first.
    """
    part = split_part(path.name)
    if part is not None and part.raw:
        count = f" of {part.total}" if part.total else ""
        raise BadFileError(
            f"{clean_name(path.name)} is raw part {part.index}{count} of a file", "Join the parts in order with `cat`."
        )
    members = [path]
    if part is not None:
        try:
            members = sorted(each for each in path.parent.iterdir() if split_part(each.name) is not None)
        except OSError:
            members = [path]
    shards = next((one for one in group(members) if path in one.paths), None) or group([path])[0]
    inside = repository_of(path)
    repository, root = inside or ("", path.parent)
    source = LABEL if inside else label_of(path.parent)
    files = tuple(found_at(each, source, root, repository) for each in shards.paths)
    return Item(shards, files)


def matching(items: Sequence[Item], name: Name, build: Callable[[Item], Variant]) -> Variant | None:
    """Return the variant that its owner's name, `REPO/FILE`, `REPO:QUANT` or `MODEL:QUANT` means, None for none.

    Only items of the repository are built, so that only their headers are read; of `MODEL:QUANT` all are.

    Raises:
        UsageError: several variants are called `MODEL:QUANT`.
    """
    aliased = next((item for item in items if name.text in item.aliases and has_header(item)), None)
    if aliased is not None:
        return build(aliased)
    if name.model is not None:
        return _of_model(items, *name.model, build)
    wanted = name.quant
    if wanted is None:
        end = f"/{name.text}".casefold()
        return next((build(item) for item in items if _file_matches(item, name.text, end)), None)
    repository, label = wanted
    variants = [build(item) for item in items if _in_repository(item, repository) and has_header(item)]
    return next(iter(_labelled(variants, label)), None)


def _labelled(variants: Sequence[Variant], label: str) -> list[Variant]:
    """Return the variants of a label, those that can be loaded first."""
    best = sorted(variants, key=lambda variant: (variant.role not in LOADABLE, not variant.loadable))
    exact = [variant for variant in best if variant.quant.casefold() == label.casefold()]
    # `Q4_K_XL` means `UD-Q4_K_XL` where that is the only one.
    marked = [variant for variant in best if variant.quant.casefold().endswith(f"-{label.casefold()}")]
    return exact or (marked if len({variant.quant for variant in marked}) == 1 else [])


def _of_model(items: Sequence[Item], model: str, label: str, build: Callable[[Item], Variant]) -> Variant | None:
    """Return the one variant of a model that is here.

    Raises:
        UsageError: there are several that are not known to be copies, or none of this label.
    """
    every = [build(item) for item in items if has_header(item)]
    named = [variant for variant in every if name_key(variant.model) == name_key(model)]
    found = _labelled(named, label)
    whole = [variant for variant in found if variant.loadable] or found
    shown = f"{clean_name(model)}:{clean_name(label)}"
    if named and not found:
        labels = sorted({variant.quant for variant in named})
        raise UsageError(f"no {clean_name(label)} of {clean_name(model)} here", f"Here are: {_listed(labels)}.")
    hashes = {variant.prints for variant in whole}
    known = all(part.sha256 for variant in whole for part in variant.prints)
    if len(whole) > 1 and not (known and len(hashes) == 1):
        paths = [clean_name(str(variant.path), limit=300) for variant in whole]
        raise UsageError(f"{len(whole)} files here are called {shown}", f"Say which: {_listed(paths)}.")
    return next(iter(whole), None)


def no_match(
    items: Sequence[Item], name: Name, places: Iterable[Place], *, wanted_here: bool = False
) -> UsageError | BadFileError:
    """Return the error for a name that fits nothing, with what to do as the hint: fetch it, or take what is here.

    `wanted_here`: fetching it is no help.
    """
    shown = clean_name(name.text) or "an empty name"
    pull = "" if wanted_here or hub_address(name.text) is None else f"`qtui pull {shlex.quote(shown)}`"
    wanted = name.quant
    if wanted is not None:
        there = [item for item in items if _in_repository(item, wanted[0]) and has_header(item)]
        if there:
            labels = sorted({parse_name(item.name, item.first.repository).quant or "?" for item in there})
            hint = f"Here are: {_listed(labels)}" + (f"; {pull} fetches it." if pull else ".")
            return UsageError(f"no {clean_name(wanted[1])} of {clean_name(wanted[0])} here", hint)
    hint = f"{pull} fetches it from the Hub; `qtui ls` lists what is here." if pull else _what_is_here(items, places)
    if name.looks_like_path and wanted is None and name.model is None:
        return NoSuchFileError(f"{shown}: no such file", hint)
    return UsageError(f"nothing here is called {shown}", hint)


def _file_matches(item: Item, text: str, end: str) -> bool:
    owner_name, file = "/".join(text.split("/")[:2]), "/".join(text.split("/")[2:])
    for path in (*item.shards.paths, *item.names):
        if file and item.first.repository.casefold() == owner_name.casefold():
            if path.as_posix().casefold().endswith(f"/{file}".casefold()):
                return True
        elif "/" in text and path.as_posix().casefold().endswith(end):
            return True
    return False


def _in_repository(item: Item, repository: str) -> bool:
    """Tell whether an item is of a repository, or lies in folders `owner/name` as other programs make them."""
    wanted = repository.casefold()
    if item.first.repository:
        return item.first.repository.casefold() == wanted
    return f"/{wanted}/" in item.first.path.as_posix().casefold()


def _what_is_here(items: Sequence[Item], places: Iterable[Place]) -> str:
    models = [item for item in items if has_header(item) and parse_name(item.name).role in LOADABLE]
    if models:
        return f"Here are: {_listed([_address(item) for item in models])}; `qtui ls` lists them all."
    looked = ", ".join(place.label for place in places if place.always_named or place.folder.is_dir())
    return f"There is no GGUF file in the places that were looked at ({clean(looked)}); --models-dir names others."


def _address(item: Item) -> str:
    """Return the name by which the user can ask for an item."""
    first = item.first
    label = parse_name(item.name, first.repository).quant
    if first.repository and label:
        return f"{first.repository}:{clean_name(label)}"
    if first.repository:
        return f"{first.repository}/{clean_name(first.path.name)}"
    return clean_name(str(first.path), limit=300)


def _listed(texts: Sequence[str]) -> str:
    rest = len(texts) - MAX_LISTED
    return ", ".join(texts[:MAX_LISTED]) + (f" and {rest} more" if rest > 0 else "")


def found_at(path: Path, source: str = "", root: Path | None = None, repository: str = "") -> Found:
    """Return a file by its path as it is now; what cannot be looked at has a problem."""
    root = root or path.parent
    try:
        status = path.stat()
    except OSError as error:
        return Found(path, 0, 0, 0, 0, source, root, repository, clean(error.strerror or str(error)))
    return Found(
        path, status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino, source, root, repository,
        owner=Owner.HF if repository else Owner.USER, sha256=blob_hash(path) if repository else "",
        links=status.st_nlink, symlink=path.is_symlink(),
    )  # fmt: skip
