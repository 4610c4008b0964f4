"""What this machine is set up to reach the Hugging Face Hub with; nothing is sent, and no token is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from qtui.core.text import clean_name
from qtui.core.user_path import user_path

DEFAULT_ENDPOINT = "https://huggingface.co"
TRUE = ("1", "ON", "YES", "TRUE")


@dataclass(frozen=True, slots=True)
class HubAccess:
    """The Hub's address, and whether there is a token."""

    endpoint: str
    token: str
    """`environment`, `file` or `none`."""
    token_file: Path
    offline: bool

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `hub`."""
        return {
            "endpoint": self.endpoint,
            "token": self.token,
            "token_file": str(self.token_file),
            "offline": self.offline,
        }


def hub_access() -> HubAccess:
    """Return what huggingface_hub would use, by its environment variables (huggingface_hub/constants.py)."""
    environment = os.environ
    cache = Path(environment.get("XDG_CACHE_HOME") or "~/.cache")
    home = user_path(environment.get("HF_HOME") or cache / "huggingface")
    token_file = user_path(environment.get("HF_TOKEN_PATH") or home / "token")
    if environment.get("HF_TOKEN") or environment.get("HUGGING_FACE_HUB_TOKEN"):
        token = "environment"  # noqa: S105  where it is, not what it is
    else:
        token = "file" if _filled(token_file) else "none"
    offline = environment.get("HF_HUB_OFFLINE", "").upper() in TRUE
    endpoint = (environment.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    return HubAccess(clean_name(_without_password(endpoint)), token, token_file, offline)


def _without_password(address: str) -> str:
    """Return an address without the name and password that may stand in it."""
    try:
        parts = urlsplit(address)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else address
    except ValueError:
        return "?"


def _filled(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False
