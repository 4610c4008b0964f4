"""Addresses on the Hub, as users write them: `REPO`, `REPO/FILE`, `REPO:QUANT`, and what a browser shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qtui.core.hub.repository import is_repository_name, usable

_WEB = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/(?!api/|datasets/|spaces/|models\?)", re.IGNORECASE)
_VIEW = re.compile(r"/(?:blob|resolve|tree|raw)/[^/]+(?=/|$)")
_GGUF = re.compile(r"\.gguf(?:[.\-]\w+)*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """What a name on the Hub stands for: a repository, or one variant in it."""

    repository: str
    file: str = ""
    """The path of a file in it."""
    quant: str = ""
    """A label, such as `Q4_K_M`."""


def parse_repository(text: str) -> str | None:
    """Return `owner/name` of a repository's name or page; None where the text is neither."""
    name = _VIEW.sub("", _WEB.sub("", text.strip())).partition("?")[0].strip("/")
    return name if is_repository_name(name) else None


def parse_address(text: str) -> Address | None:
    """Return what `REPO/FILE` or `REPO:QUANT` names; None where the text can only be a file on this machine."""
    text = _VIEW.sub("", _WEB.sub("", text.strip())).partition("?")[0]
    if text.startswith(("/", ".", "~")):
        return None
    repository, colon, quant = text.rpartition(":")
    if colon and is_repository_name(repository) and re.fullmatch(r"[\w.+-]{1,60}", quant):
        return Address(repository, quant=quant)
    parts = text.split("/", 2)
    if len(parts) == 3 and is_repository_name("/".join(parts[:2])) and usable(parts[2]) and _GGUF.search(parts[2]):
        return Address("/".join(parts[:2]), file=parts[2])
    return None
