"""The Hub's JSON as our values: everything bounded and clean, whatever is missing or of another type unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from qtui.core.hub.repository import Access, FilesPage, Repository, RepositoryFile, is_repository_name, usable
from qtui.core.text import clean_name

MAX_TAGS = 200
MAX_COUNT = 1 << 62
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OID = re.compile(r"[0-9a-f]{40}")
_LICENCE = "license:"
_BASE = re.compile(r"base_model:(?:(?:quantized|finetune|adapter|merge):)?(?P<id>[^:]+/[^:]+)")


def repository_of(value: Mapping[str, Any]) -> Repository | None:
    """Return a repository of the list or of its own answer; None where it has no name that can be used."""
    name = value.get("id") or value.get("modelId")
    if not isinstance(name, str) or not is_repository_name(name):
        return None
    tags = tuple(clean_name(tag) for tag in _list(value.get("tags"))[:MAX_TAGS] if isinstance(tag, str))
    told = value.get("gguf")
    gguf: Mapping[str, Any] = told if isinstance(told, dict) else {}
    commit = value.get("sha")
    return Repository(
        id=name,
        commit=commit if isinstance(commit, str) and _OID.fullmatch(commit) else "",
        access=_access(value),
        licence=next((tag[len(_LICENCE) :] for tag in tags if tag.startswith(_LICENCE)), ""),
        architecture=_text(gguf.get("architecture")),
        parameters=_count(gguf.get("total")),
        context_length=_count(gguf.get("context_length")),
        downloads=_count(value.get("downloads")),
        likes=_count(value.get("likes")),
        updated=_time(value.get("lastModified")),
        created=_time(value.get("createdAt")),
        base_models=_bases(tags),
        library=_text(value.get("library_name")),
        tags=tags,
        imatrix=_text(gguf.get("quantize_imatrix_file")),
    )


def files_of(values: Sequence[Any]) -> FilesPage:
    """Return the files of a page of the tree; folders are left out, and names that cannot be used are counted."""
    files, left_out = [], 0
    for value in values:
        if not isinstance(value, dict) or value.get("type", "file") != "file":
            continue
        file = file_of(value)
        if file is None:
            left_out += 1
        else:
            files.append(file)
    return FilesPage(tuple(files), left_out)


def file_of(value: Mapping[str, Any]) -> RepositoryFile | None:
    """Return one file; None where its name or size cannot be used, or nothing names its bytes."""
    path, size = value.get("path"), _count(value.get("size"))
    if not isinstance(path, str) or not usable(path):
        return None
    told = value.get("lfs")
    lfs: Mapping[str, Any] = told if isinstance(told, dict) else {}
    sha256 = lfs.get("oid") or lfs.get("sha256") or ""
    oid = value.get("oid") or ""
    size = _count(lfs.get("size")) if lfs else size
    commit = value.get("lastCommit")
    security = value.get("securityFileStatus")
    if size is None:
        return None
    sha256 = sha256 if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else ""
    oid = oid if isinstance(oid, str) and _OID.fullmatch(oid) else ""
    if not (sha256 or oid):
        return None
    return RepositoryFile(
        path=path,
        size=size,
        sha256=sha256,
        oid=oid,
        date=_time(commit.get("date")) if isinstance(commit, dict) else None,
        scan=_text(security.get("status"))[:40] if isinstance(security, dict) else "",
    )


def next_query(link: str) -> str:
    """Return the query of the page that a `Link` header calls the next; empty when there is none.

    Only the query is taken: where it is asked stays ours, also behind a mirror that hands on the Hub's own links.
    """
    match = re.search(r'<([^<>]{1,4000})>\s*;\s*rel="?next"?', link[:8000])
    try:
        return urlsplit(match[1]).query if match else ""
    except ValueError:
        return ""


def _access(value: Mapping[str, Any]) -> Access:
    if value.get("disabled") is True:
        return Access.DISABLED
    if value.get("private") is True:
        return Access.PRIVATE
    return Access.GATED if value.get("gated") not in (None, False, "false") else Access.OPEN


def _bases(tags: Sequence[str]) -> tuple[str, ...]:
    found = (_BASE.fullmatch(tag) for tag in tags)
    return tuple(dict.fromkeys(match["id"] for match in found if match and is_repository_name(match["id"])))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return clean_name(value) if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_COUNT else None


def _time(value: object) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
