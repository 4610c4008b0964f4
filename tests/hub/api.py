"""The Hub's port: its API, and the redirects to the CDN."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tests.hub.content import Content, git_oid
from tests.hub.exchange import Reply, Request, error, json_reply
from tests.hub.repository import Commit, Repository, is_lfs, iso

PAGE = {"models": 1000, "tree": 1000, "expanded": 50}
"""Entries of a page, as on the Hub."""
NO_SUCH_TOKEN = "Invalid credentials in Authorization header"
UNITS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12, "": 1}
SORTS: dict[str, Callable[[Repository], Any]] = {
    "downloads": lambda repository: repository.downloads,
    "likes": lambda repository: repository.likes,
    "trendingScore": lambda repository: repository.trending,
    "trending_score": lambda repository: repository.trending,
    "lastModified": lambda repository: repository.head.date,
    "last_modified": lambda repository: repository.head.date,
    "createdAt": lambda repository: repository.commits[0].date,
    "created_at": lambda repository: repository.commits[0].date,
}


class Site(Protocol):
    """What the API needs of the server."""

    repositories: dict[str, Repository]
    moved: dict[str, str]
    tokens: dict[str, str]
    page: int | None
    endpoint: str

    def sign(self, repository: Repository, commit: Commit, path: str) -> str:
        """Return an address on the CDN that works for a while."""
        ...


class Api:
    """Answers requests."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def answer(self, request: Request) -> Reply:
        """Return what the Hub would say."""
        path = request.path
        if request.token and request.token not in self.site.tokens:
            return error(401, message=NO_SUCH_TOKEN)
        if path == "/api/whoami-v2":
            return self._whoami(request)
        if path == "/api/models":
            return self._models(request)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/.*)?", path):
            return self._repository(request, match[1], match[2] or "")
        if match := re.fullmatch(r"/([^/]+/[^/]+)/(?:resolve|raw)/([^/]+)/(.+)", path, re.DOTALL):
            return self._resolve(request, match[1], match[2], match[3])
        if match := re.fullmatch(r"/api/resolve-cache/models/([^/]+/[^/]+)/([^/]+)/(.+)", path, re.DOTALL):
            return self._small(request, match[1], match[2], match[3])
        return error(404)

    def _user(self, request: Request) -> str | None:
        return self.site.tokens.get(request.token)

    def _whoami(self, request: Request) -> Reply:
        user = self._user(request)
        if user is None:
            return error(401, message="Invalid username or password.")
        token = {"displayName": "test", "role": "read"}
        return json_reply({"type": "user", "name": user, "auth": {"type": "access_token", "accessToken": token}})

    def _models(self, request: Request) -> Reply:
        user = self._user(request)
        found = [each for each in self.site.repositories.values() if not each.private or user in each.granted]
        found = [each for each in found if _matches(each, request)]
        found.sort(key=lambda each: each.id)
        if sort := request.one("sort"):
            if sort not in SORTS:
                return error(400, message=f'"sort" must not be {sort}')
            found.sort(key=SORTS[sort], reverse=request.one("direction") != "1")
        limit = int(request.one("limit") or PAGE["models"])
        step = min(limit, self.site.page or PAGE["models"])
        expand = request.query.get("expand", [])
        return self._paged(request, [_listed(each, expand) for each in found], step)

    def _repository(self, request: Request, name: str, rest: str) -> Reply:
        if name in self.site.moved:
            target = request.target.replace(quote(name), quote(self.site.moved[name]), 1)
            return Reply(307, {"Location": target})
        repository = self.site.repositories.get(name)
        refused = self._hidden(request, repository)
        if refused or repository is None:
            return refused or error(404)
        if rest == "/auth-check":
            return self._gate(request, repository) or json_reply({})
        match = re.fullmatch(r"(?:/(revision|tree|paths-info)/([^/]+))?(?:/(.*))?", rest, re.DOTALL)
        if match is None:
            return error(404)
        commit = repository.at(match[2] or "main")
        if commit is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {match[2]}")
        if match[1] == "tree":
            return self._tree(request, repository, commit, match[3] or "")
        if match[1] == "paths-info":
            wanted = [value for key, value in parse_qsl(request.body.decode()) if key == "paths"]
            expand = dict(parse_qsl(request.body.decode())).get("expand", "").lower() == "true"
            return json_reply(
                [repository.entry(commit, path, expand=expand) for path in wanted if path in commit.files]
            )
        return json_reply(_info(repository, commit, request))

    def _tree(self, request: Request, repository: Repository, commit: Commit, folder: str) -> Reply:
        expand = request.one("expand").lower() in ("true", "1")
        prefix = folder.rstrip("/") + "/" if folder else ""
        inside = [path for path in sorted(commit.files) if path.startswith(prefix)]
        if folder and not inside:
            return error(404, "EntryNotFound", f"{folder} does not exist")
        entries: dict[str, dict[str, Any]] = {}
        for path in inside:
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts)):
                name = prefix + "/".join(parts[:depth])
                entries[name] = {"type": "directory", "path": name, "oid": commit.sha, "size": 0}
            entries[path] = repository.entry(commit, path, expand=expand)
        if request.one("recursive").lower() not in ("true", "1"):
            entries = {path: entry for path, entry in entries.items() if "/" not in path[len(prefix) :]}
        step = self.site.page or PAGE["expanded" if expand else "tree"]
        return self._paged(request, list(entries.values()), step)

    def _paged(self, request: Request, items: Sequence[object], step: int) -> Reply:
        begin = int(request.one("cursor") or 0)
        reply = json_reply(items[begin : begin + step])
        if begin + step < len(items):
            query = [(key, value) for key, value in parse_qsl(urlsplit(request.target).query) if key != "cursor"]
            again = urlencode([*query, ("cursor", str(begin + step))])
            reply.headers["Link"] = f'<{self.site.endpoint}{quote(request.path)}?{again}>; rel="next"'
        return reply

    def _resolve(self, request: Request, name: str, revision: str, path: str) -> Reply:
        if name in self.site.moved:
            target = request.target.replace(quote(name), quote(self.site.moved[name]), 1)
            return Reply(307, {"Location": target})
        repository = self.site.repositories.get(name)
        refused = self._hidden(request, repository) or (repository and self._gate(request, repository))
        if refused or repository is None:
            return refused or error(404)
        commit = repository.at(revision)
        if commit is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        content = commit.files.get(path)
        if content is None:
            missing = error(404, "EntryNotFound", "Entry not found")
            missing.headers["X-Repo-Commit"] = commit.sha
            return missing
        headers = {"X-Repo-Commit": commit.sha, "Accept-Ranges": "bytes"}
        if not is_lfs(path, content):
            address = f"/api/resolve-cache/models/{quote(name)}/{commit.sha}/{quote(path)}"
            etag = f'"{git_oid(content)}"'
            return Reply(
                307, {**headers, "X-Linked-Etag": etag, "X-Linked-Size": str(content.size), "Location": address}
            )
        return Reply(
            302,
            {
                **headers,
                "X-Linked-Etag": f'"{content.sha256}"',
                "X-Linked-Size": str(content.size),
                "Location": self.site.sign(repository, commit, path),
            },
        )

    def _small(self, request: Request, name: str, revision: str, path: str) -> Reply:
        repository = self.site.repositories.get(name)
        if refused := self._hidden(request, repository) or (repository and self._gate(request, repository)):
            return refused
        commit = repository.at(revision) if repository else None
        if commit is None or path not in commit.files:
            return error(404, "EntryNotFound", "Entry not found")
        content = commit.files[path]
        return ranged(request, content, {"X-Repo-Commit": commit.sha, "ETag": f'"{git_oid(content)}"'})

    def _hidden(self, request: Request, repository: Repository | None) -> Reply | None:
        """Return the refusal of what is not there, or must look so; None where it may be seen."""
        user = self._user(request)
        if repository is None or (repository.private and user not in repository.granted):
            return error(404 if user else 401, "RepoNotFound", "Repository not found")
        if repository.disabled:
            return error(403, message="Access to this resource is disabled.")
        return None

    def _gate(self, request: Request, repository: Repository) -> Reply | None:
        user = self._user(request)
        if not repository.gated or user in repository.granted:
            return None
        page = f"{self.site.endpoint}/{repository.id}"
        if user is None:
            return error(
                401, "GatedRepo", f"Access to model {repository.id} is restricted. You must be logged in: {page}"
            )
        return error(
            403, "GatedRepo", f"Access to model {repository.id} is restricted. Visit {page} to ask for access."
        )


def ranged(request: Request, content: Content, headers: dict[str, str]) -> Reply:
    """Return a file's bytes, or the range of them that was asked for."""
    headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", **headers}
    wanted = request.range
    if wanted is None:
        return Reply(200, headers, content)
    first, last = wanted
    if first >= content.size:
        return Reply(416, {"Content-Range": f"bytes */{content.size}"})
    end = content.size if last is None else min(last + 1, content.size)
    return Reply(206, {**headers, "Content-Range": f"bytes {first}-{end - 1}/{content.size}"}, content, first, end)


def _info(repository: Repository, commit: Commit, request: Request) -> dict[str, Any]:
    """Return a repository as `GET /api/models/ID` tells of it."""
    blobs = request.one("blobs").lower() in ("true", "1")
    everything = _fields(repository)
    everything["sha"] = commit.sha
    everything["siblings"] = [repository.sibling(commit, path, blobs=blobs) for path in sorted(commit.files)]
    everything["usedStorage"] = sum(content.size for content in commit.files.values())
    expand = request.query.get("expand", [])
    if expand:
        return {name: everything[name] for name in everything if name in (*expand, "id", "_id")}
    return everything


def _listed(repository: Repository, expand: Sequence[str]) -> dict[str, Any]:
    """Return a repository as the list tells of it: with `expand` only the fields that were named."""
    fields = _fields(repository)
    if not expand:
        usual = ("_id", "id", "modelId", "likes", "private", "downloads", "tags", "createdAt", "library_name")
        return {name: fields[name] for name in usual}
    fields["siblings"] = [{"rfilename": path} for path in sorted(repository.head.files)]
    return {name: fields[name] for name in fields if name in (*expand, "id", "_id")}


def _fields(repository: Repository) -> dict[str, Any]:
    owner, _, _ = repository.id.partition("/")
    base = [repository.base_model] if repository.base_model else []
    fields: dict[str, Any] = {
        "_id": git_oid_of(repository.id),
        "id": repository.id,
        "modelId": repository.id,
        "author": owner,
        "private": repository.private,
        "disabled": repository.disabled,
        "gated": repository.gated,
        "downloads": repository.downloads,
        "likes": repository.likes,
        "trendingScore": repository.trending,
        "tags": repository.all_tags,
        "createdAt": iso(repository.commits[0].date) if repository.commits else None,
        "lastModified": iso(repository.head.date),
        "sha": repository.head.sha,
        "library_name": repository.library or None,
        "pipeline_tag": repository.pipeline or None,
        "cardData": {"license": repository.licence or None, "base_model": base},
    }
    if repository.gguf is not None:
        fields["gguf"] = dict(repository.gguf)
    return fields


def git_oid_of(name: str) -> str:
    """Return an id of 24 hex digits."""
    return name.encode().hex()[:24].ljust(24, "0")


def _matches(repository: Repository, request: Request) -> bool:
    """Tell whether a repository is one of those that the query asks for."""
    tags = {tag.lower() for tag in repository.all_tags}
    wanted = {tag.lower() for each in request.query.get("filter", []) for tag in each.split(",")}
    if not wanted <= tags:
        return False
    if any(word.lower() not in repository.id.lower() for word in request.one("search").split()):
        return False
    if (author := request.one("author")) and not repository.id.startswith(f"{author}/"):
        return False
    if (gated := request.one("gated")) and bool(repository.gated) != (gated == "true"):
        return False
    return _in_bounds(repository, request.one("num_parameters"))


def _in_bounds(repository: Repository, bounds: str) -> bool:
    """Compare the parameters with `min:6B,max:40B`."""
    if not bounds:
        return True
    total = (repository.gguf or {}).get("total")
    if total is None:
        return False
    for bound in bounds.split(","):
        match = re.fullmatch(r"(min|max):([\d.]+)([KMBT]?)", bound.strip())
        if match is None:
            return False
        value = float(match[2]) * UNITS[match[3]]
        if (match[1] == "min" and total < value) or (match[1] == "max" and total > value):
            return False
    return True
