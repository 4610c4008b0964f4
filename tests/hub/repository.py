"""Repositories of the test Hub: commits of files, and what the Hub tells beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.hub.content import Bytes, Content, OnDisk, git_oid, pointer

LFS_SUFFIXES = (".gguf", ".safetensors", ".bin", ".dat", ".imatrix", ".gguf_file", ".pt", ".part1of2", ".part2of2")
LFS_FROM = 10 << 20
BEGIN = datetime(2026, 9, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Commit:
    """The files of a repository at one time."""

    sha: str
    """40 hex digits."""
    date: datetime
    files: Mapping[str, Content]
    changed: Mapping[str, str] = field(default_factory=dict)
    """The sha of the last commit of each file."""


@dataclass
class Repository:
    """A model repository. Change the fields at any time; change files with `commit`."""

    id: str
    """`owner/name`."""
    gated: str | bool = False
    """False, `auto` or `manual`."""
    private: bool = False
    disabled: bool = False
    granted: set[str] = field(default_factory=set)
    """Users who may download what is gated, or see what is private."""
    licence: str = ""
    base_model: str = ""
    relation: str = "quantized"
    """How it comes from its base model: `quantized`, `finetune`, `adapter`, `merge`."""
    tags: tuple[str, ...] = ()
    library: str = ""
    pipeline: str = ""
    downloads: int = 0
    likes: int = 0
    trending: float = 0
    gguf: Mapping[str, Any] | None = None
    """What the Hub found in the first GGUF file: `total`, `architecture`, `context_length`, ..."""
    commits: list[Commit] = field(default_factory=list, repr=False)
    scans: dict[str, str] = field(default_factory=dict)
    """The Hub's scan status of files, by path; `safe` where nothing else stands."""

    @staticmethod
    def from_folder(folder: Path, repository_id: str = "", **fields: Any) -> Repository:
        """Return a repository of the files below `folder`, named `owner/name` as the last two folders unless told."""
        repository = Repository(repository_id or "/".join(folder.parts[-2:]), **fields)
        files = {path.relative_to(folder).as_posix(): OnDisk(path) for path in folder.rglob("*") if path.is_file()}
        repository.commit(files)
        return repository

    @property
    def head(self) -> Commit:
        if not self.commits:
            self.commit({})
        return self.commits[-1]

    def commit(self, files: Mapping[str, Content | bytes | None]) -> str:
        """Add a commit with these files put in, or taken out where None; returns its sha."""
        before = self.commits[-1] if self.commits else Commit("", BEGIN, {})
        after = dict(before.files)
        for path, content in files.items():
            if content is None:
                after.pop(path, None)
            else:
                after[path] = Bytes(content) if isinstance(content, bytes) else content
        sha = hashlib.sha1(f"{self.id} {len(self.commits)} {sorted(after)}".encode("utf-8", "replace")).hexdigest()
        changed = {path: sha if path in files else before.changed.get(path, sha) for path in after}
        self.commits.append(Commit(sha, before.date + timedelta(days=1), after, changed))
        return sha

    def at(self, revision: str) -> Commit | None:
        """Return the commit that a branch or a sha names."""
        if revision in ("main", "HEAD"):
            return self.head
        return next((commit for commit in self.commits if commit.sha == revision), None)

    def date_of(self, sha: str) -> datetime:
        return next(commit.date for commit in self.commits if commit.sha == sha)

    @property
    def all_tags(self) -> list[str]:
        """Return the tags that the Hub shows: those told, and what it derives from files and card."""
        tags = list(self.tags)
        if any(path.endswith(".gguf") for path in self.head.files):
            tags.append("gguf")
        if any(path.endswith(".safetensors") for path in self.head.files):
            tags.append("safetensors")
        if self.base_model:
            tags += [f"base_model:{self.base_model}", f"base_model:{self.relation}:{self.base_model}"]
        if self.licence:
            tags.append(f"license:{self.licence}")
        return [*dict.fromkeys(tags), "region:us"]

    def entry(self, commit: Commit, path: str, *, expand: bool) -> dict[str, Any]:
        """Return a file as `tree` and `paths-info` tell of it."""
        content = commit.files[path]
        found: dict[str, Any] = {"type": "file", "path": path, "size": content.size}
        if is_lfs(path, content):
            held = pointer(content)
            found["oid"] = git_oid(Bytes(held))
            found["lfs"] = {"oid": content.sha256, "size": content.size, "pointerSize": len(held)}
        else:
            found["oid"] = git_oid(content)
        if expand:
            sha = commit.changed[path]
            found["lastCommit"] = {"id": sha, "title": "Upload", "date": iso(self.date_of(sha))}
            found["securityFileStatus"] = {
                "status": self.scans.get(path, "safe"),
                "avScan": {"status": "safe"},
                "pickleImportScan": None,
            }
        return found

    def sibling(self, commit: Commit, path: str, *, blobs: bool) -> dict[str, Any]:
        """Return a file as `siblings` tell of it."""
        if not blobs:
            return {"rfilename": path}
        entry = self.entry(commit, path, expand=False)
        found = {"rfilename": path, "size": entry["size"], "blobId": entry["oid"]}
        if "lfs" in entry:
            found["lfs"] = {"sha256": entry["lfs"]["oid"], **{k: v for k, v in entry["lfs"].items() if k != "oid"}}
        return found


def is_lfs(path: str, content: Content) -> bool:
    """Tell whether git holds only a pointer to the file."""
    return path.lower().endswith(LFS_SUFFIXES) or content.size >= LFS_FROM


def iso(moment: datetime) -> str:
    """Return a time as the Hub writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
