"""Where qtui keeps its files, by each platform's convention; every folder is made on demand, none at import."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import platformdirs

from qtui.core.errors import QtuiError
from qtui.core.text import clean, clean_name

APP = "qtui"


def config_dir() -> Path:
    """Return the folder of settings, presets and user themes.

    Raises:
        QtuiError: it cannot be made.
    """
    return _made(config_path(), "XDG_CONFIG_HOME")


def config_path() -> Path:
    """Return the config folder's path without making it."""
    return platformdirs.user_config_path(APP, appauthor=False)


def data_dir() -> Path:
    """Return the folder of what the user made: history, transcripts.

    Raises:
        QtuiError: it cannot be made.
    """
    return _made(data_path(), "XDG_DATA_HOME")


def data_path() -> Path:
    """Return the data folder's path without making it."""
    return platformdirs.user_data_path(APP, appauthor=False)


def reports_dir() -> Path:
    """Return the folder of reports that the app writes, in the data folder.

    Raises:
        QtuiError: it cannot be made.
    """
    return _made(data_path() / "reports", "XDG_DATA_HOME")


def cache_dir() -> Path:
    """Return the folder of what can be made again: header cache, demo quants, oracle tools.

    Raises:
        QtuiError: it cannot be made; who only caches carries on without.
    """
    return _made(cache_path(), "XDG_CACHE_HOME")


def cache_path() -> Path:
    """Return the cache folder's path without making it."""
    return platformdirs.user_cache_path(APP, appauthor=False)


def log_dir() -> Path:
    """Return the folder of logs, private since they may hold prompts.

    Falls back to a folder under the temporary one where the home is read-only or missing.

    Raises:
        QtuiError: neither can be made.
    """
    try:
        return _made(platformdirs.user_log_path(APP, appauthor=False), "XDG_STATE_HOME", private=True)
    except QtuiError:
        return _private_temporary("log")


def runtime_dir() -> Path:
    """Return the folder of what lives as long as a process: session records; mode 0700 and ours, or refused.

    Falls back to a folder under the temporary one where there is no runtime folder (containers, ssh without a login
    manager).

    Raises:
        QtuiError: neither can be made, or someone else owns it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and Path(base).is_dir():
        try:
            return _made(Path(base) / APP, "XDG_RUNTIME_DIR", private=True)
        except QtuiError:
            return _private_temporary("run")
    return _private_temporary("run")


def _made(path: Path, variable: str, private: bool = False) -> Path:
    try:
        path.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
        if private:
            _own(path)
    except OSError as error:
        raise QtuiError(
            f"cannot use the folder {clean_name(str(path))}: {clean(error.strerror or str(error))}",
            f"make it writable, or set {variable} to a folder that is",
        ) from error
    return path


def _private_temporary(purpose: str) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else 0
    return _made(Path(tempfile.gettempdir()) / f"{APP}-{user}" / purpose, "TMPDIR", private=True)


def _own(path: Path) -> None:
    """Make sure that nobody else can read or plant files there (the temporary folder is shared with others)."""
    if not hasattr(os, "getuid"):
        return
    for folder in (path, path.parent) if path.parent.name.startswith(f"{APP}-") else (path,):
        state = os.lstat(folder)
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
            raise PermissionError(1, "it belongs to someone else")
        if stat.S_IMODE(state.st_mode) & 0o077:
            folder.chmod(0o700)
