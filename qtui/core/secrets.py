"""Secrets that stray into text: what looks like a token is masked before anything is written down."""

from __future__ import annotations

import re

MASK = "[a secret]"
_TOKENS = re.compile(
    r"\b(?:hf_|api_org_|sk-|gh[pousr]_|github_pat_|xox[abprs]-)[A-Za-z0-9_-]{8,}"  # services that give tokens a prefix
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # a user and a password in an address
)
_NAMED = re.compile(
    r"""(?ix) (\b(?:bearer | (?:[\w-]*(?:token|secret|password|passwd|api[_-]?key)) ["']? \s* [=:]) \s* ["']?)
    (?!\s) [^\s"',;)}\]]{6,}"""
)


def masked(text: str) -> str:
    """Return the text without what looks like a token, a password or a key."""
    return _NAMED.sub(lambda found: found[1] + MASK, _TOKENS.sub(MASK, text))
