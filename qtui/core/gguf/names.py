"""What publishers' file names tell: quant, base model, parameters, shard, role.

Names are all there is before a file is fetched; afterwards the header overrides them. The rules were gathered from
what publishers do; `tests/data/names.tsv` holds the examples that they must satisfy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from qtui.core.library.variant import Role

MAX_SHARDS = 1024

_LABEL = (
    r"IQ[1-6]_(?:XXS|XS|S|M|NL|KSS|KS|KT|KL|K)(?:_R[48])?"
    r"|Q4_0_(?:4_4|4_8|8_8)"
    r"|Q[2-8]_K(?:_(?:XXL|XL|XS|S|M|L|P))?(?:_R[48])?"
    r"|Q[1-8]_[01](?:_R[48])?"
    r"|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|FP?16|FP?32"
)
_AT_END = re.compile(rf"(?:^|[-._ ])(?P<prefix>UD-|i1-|smol-)?(?P<label>{_LABEL})(?:[-_.]mtp)?$", re.IGNORECASE)
_PREFIXES = {"ud-": "UD-", "i1-": "i1-", "smol-": "smol-"}
_ALIASES = {"FP16": "F16", "FP32": "F32", "Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}
_IN_MIX = re.compile(r"IQ[1-4]_?(?:XXS|XS|NL|S|M)|Q[2-8]_?(?:K|[01])?|BF16|F16|F32")

_SHARD = re.compile(
    r"(?P<stem>.+?)(?:-split)?(?:\.gguf)?-(?P<index>\d{5})-of-(?P<total>\d{5})(?:\.gguf)?", re.IGNORECASE
)
_NUMBERED_PART = re.compile(
    r"(?P<stem>.+?)(?:\.gguf\.part(?P<index>\d+)of(?P<total>\d+)|-chunk-(?P<chunk>\d{3})-of-(?P<chunks>\d{3})\.gguf)",
    re.IGNORECASE,
)
_LETTERED_PART = re.compile(
    r"(?P<stem>.+?)(?:\.gguf(?P<split>-split-|\.)|(?:\.gguf)?_part_)(?P<letter>[a-z])", re.IGNORECASE
)

_DRAFT_PREFIX = re.compile(r"^(?:mtp|eagle3|dflash|dspark)-", re.IGNORECASE)
_DRAFT_SUFFIX = re.compile(r"-(?:eagle3|dflash|dspark)$", re.IGNORECASE)
_IMATRIX_FILE = re.compile(r"\.(?:imatrix|dat|gguf_file)$", re.IGNORECASE)
_IMATRIX_END = re.compile(r"[-._]imatrix$", re.IGNORECASE)
_EMBEDDING = re.compile(r"embed|minilm|(?:^|[-_/])(?:bge|gte|e5|mxbai|arctic-embed)[-_]", re.IGNORECASE)

_PARAMETERS = re.compile(
    r"(?<![A-Za-z0-9.])(?:(?:\d+[xX])?\d+(?:\.\d+)?[bB](?:-[aA]\d+(?:\.\d+)?[bB])?"
    r"|[eE]\d+(?:\.\d+)?[bB]|\d+(?:\.\d+)?[TMmK])(?![A-Za-z0-9])"
)
_GLUED_PARAMETERS = re.compile(r"(?<=[a-z])\d+(?:\.\d+)?[KMB](?![A-Za-z0-9])")

# Types that llama-quantize refuses to make without an importance matrix (llama-quant.cpp, tensor_requires_imatrix).
_NEED_IMATRIX = {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "Q2_K_S"}
_IGNORE_IMATRIX = {"F16", "BF16", "F32", "MXFP4", "NVFP4"}
_REMOVED = re.compile(r"Q4_0_(?:4_4|4_8|8_8)")
_FORKED = re.compile(r"IQ\d_(?:KSS|KS|KT|KL|K)(?:_R\d)?|.*_R[48]")


@dataclass(frozen=True, slots=True)
class ParsedName:
    """What a name tells. None: it does not tell."""

    quant: str | None
    """`Q4_K_M`, with the publisher's mark where there is one (`UD-`, `i1-`, `smol-`); `mix:IQ2_XXS` for a spelled-out
    mix of types."""
    base: str | None
    parameters: str | None
    """As written: `8B`, `30B-A3B`, `8x7b`, `E4B`."""
    shard: tuple[int, int | None] | None
    """(index from 1, total); the total of lettered raw parts is unknown."""
    role: Role
    imatrix: bool | None
    """Whether an importance matrix was used; False also where it would have had no effect."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file name without what makes it one of several."""

    stem: str
    index: int
    total: int | None
    raw: bool
    """A piece of the bytes, which llama.cpp cannot load before the pieces are joined."""


def split_part(name: str) -> Part | None:
    """Return how a file name says that it is a shard or a raw part; None for a whole file."""
    if match := _NUMBERED_PART.fullmatch(name):
        index, total = int(match["index"] or match["chunk"]), int(match["total"] or match["chunks"])
        return Part(match["stem"], index, total, raw=True) if 1 <= index <= total <= MAX_SHARDS else None
    if match := _LETTERED_PART.fullmatch(name):
        return Part(match["stem"], ord(match["letter"].lower()) - ord("a") + 1, None, raw=True)
    if (match := _SHARD.fullmatch(name)) and ".gguf" in name.lower():
        index, total = int(match["index"]), int(match["total"])
        return Part(match["stem"], index, total, raw=False) if 1 <= index <= total <= MAX_SHARDS else None
    return None


def parse_name(path: str | PurePath, repository: str = "") -> ParsedName:
    """Parse a file's path; only its last folder is looked at, for what the name itself leaves out.

    Args:
        path: a path on disk or in a repository.
        repository: `owner/name` on the Hub, where known: one publisher's says whether an importance matrix was used.
    """
    *folders, name = str(path).replace("\\", "/").split("/")
    folder = folders[-1] if folders else ""
    part = split_part(name)
    stem = part.stem if part else name
    shard = (part.index, part.total) if part else None
    is_imatrix_file = _IMATRIX_FILE.search(stem) is not None
    stem = _IMATRIX_FILE.sub("", stem) if is_imatrix_file else re.sub(r"\.gguf$", "", stem, flags=re.IGNORECASE)

    role, stem, marked = _role(stem, is_imatrix_file)
    if part and part.raw:
        role = Role.RAWPART
    if role in (Role.VOCAB, Role.IMATRIX):
        base = _base(stem, "")
        return ParsedName(None, base, _parameters(base), shard, role, None)
    quant, rest = _quant(stem)
    if quant is None and (in_folder := _AT_END.search(folder)):
        quant = _spelled(in_folder)
    if role is Role.MODEL and _DRAFT_SUFFIX.search(rest):
        role, rest = Role.DRAFT, _DRAFT_SUFFIX.sub("", rest)
    if role is Role.MMPROJ:
        rest = re.sub(r"[-_.]?mmproj(?:-model$)?[-_.]?", "", rest, flags=re.IGNORECASE)
    base = _base(rest, folder)
    if role is Role.MODEL and base and _EMBEDDING.search(base):
        role = Role.EMBEDDING
    static = _is_static(repository) or bool(part and part.raw and "-split-" in name.lower())
    return ParsedName(quant, base, _parameters(base), shard, role, True if marked else _imatrix(quant, static=static))


def quant_note(quant: str) -> str:
    """Return what keeps llama.cpp from loading files with this label; empty when nothing does."""
    label = re.sub(r"^(?:UD-|i1-|smol-|mix:)", "", quant)
    if _REMOVED.fullmatch(label):
        return f"{label} was removed from llama.cpp: use Q4_0"
    if _FORKED.fullmatch(label):
        return f"{label} can be loaded by ik_llama.cpp only"
    return ""


def _role(stem: str, is_imatrix_file: bool) -> tuple[Role, str, bool]:
    """Return the role, the stem without what told it, and whether it says that a model was made with an imatrix."""
    lower = stem.lower()
    if lower.startswith("ggml-vocab-"):
        return Role.VOCAB, stem[len("ggml-vocab-") :], False
    if lower.startswith("imatrix"):
        rest = stem[len("imatrix") :]
        return Role.IMATRIX, rest[1:] if rest.startswith("-") else "", False
    ended = _IMATRIX_END.search(stem)
    if is_imatrix_file:
        return Role.IMATRIX, _IMATRIX_END.sub("", stem), False
    if ended:
        stem = stem[: ended.start()]
        quant, _ = _quant(stem)
        if quant is None or quant in _IGNORE_IMATRIX:
            return Role.IMATRIX, stem, False
        return Role.MODEL, stem, True
    if "mmproj" in lower:
        return Role.MMPROJ, stem, False
    if _DRAFT_PREFIX.match(stem):
        return Role.DRAFT, _DRAFT_PREFIX.sub("", stem), False
    return Role.MODEL, stem, False


def _quant(stem: str) -> tuple[str | None, str]:
    """Return the label at the end of a stem, or the mix that is spelled out in it, and what stands before."""
    if match := _AT_END.search(stem):
        return _spelled(match), stem[: match.start()]
    words = stem.split("-")
    mixed = [number for number, word in enumerate(words) if number and _IN_MIX.search(word)]
    if len(mixed) >= 2 and (found := _IN_MIX.search(words[mixed[0]])):
        return f"mix:{_underscored(found[0])}", "-".join(words[: mixed[0]])
    return None, stem


def _spelled(match: re.Match[str]) -> str:
    """Return a label as llama.cpp writes it."""
    label = match["label"].upper()
    return _PREFIXES.get((match["prefix"] or "").lower(), "") + _ALIASES.get(label, label)


def _underscored(label: str) -> str:
    """Return a label of a spelled-out mix as ggml writes it: IQ2XXS is IQ2_XXS."""
    return re.sub(r"^(I?Q\d)_?(?=[A-Z01])", r"\1_", label)


def _base(stem: str, folder: str) -> str | None:
    """Return the base model's name; the folder's where the file has llama.cpp's own default name."""
    stem = re.sub(r"[-_.]gguf$", "", stem, flags=re.IGNORECASE)
    stem = re.sub(r"(?:^|[-_.])ggml-model$", "\0", stem, flags=re.IGNORECASE)
    if stem == "\0":
        named = re.search(r"\d", folder) and not re.fullmatch(r"[0-9a-f]{40}", folder) and not _AT_END.search(folder)
        return folder if named else None
    stem = stem.rstrip("\0-_. ")
    return None if stem.lower() in ("", "unsloth") else stem


def _parameters(base: str | None) -> str | None:
    found = _PARAMETERS.search(base or "") or _GLUED_PARAMETERS.search(base or "")
    return found[0] if found else None


def _is_static(repository: str) -> bool:
    """Tell whether a repository holds quants made without an importance matrix, as one publisher names them apart."""
    owner, _, name = repository.partition("/")
    return owner == "mradermacher" and not name.endswith("-i1-GGUF")


def _imatrix(quant: str | None, *, static: bool) -> bool | None:
    """Return whether a label tells that an importance matrix was used."""
    if quant is None or quant.startswith("mix:"):
        return None
    if quant.startswith(("UD-", "i1-")):
        return True
    label = quant.removeprefix("smol-")
    if label in _NEED_IMATRIX:
        return True
    return False if static or label in _IGNORE_IMATRIX else None
