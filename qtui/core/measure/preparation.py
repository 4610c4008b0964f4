"""What is found out before anything is computed: the tokens of the text, whether all variants share them, the files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath

from qtui.core.duel.storage import Hashes
from qtui.core.errors import BadFileError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.measure.base_file import chunk_bytes, file_bytes
from qtui.core.measure.messages import MeasureJob, Task, TextTokenised
from qtui.core.measure.ports import Measurer, TextFile, Workspace
from qtui.core.measure.records import MeasuredFile, MeasuredText
from qtui.core.measure.request import DEFAULT_CONTEXT, MeasureRequest, is_whole
from qtui.core.measure.scores import LEAST_TOKENS
from qtui.core.measure.tokens import check_alike, other_vocabulary, tokenised
from qtui.core.text import clean_name

STORED = "stored logits"
"""Stands for the quant of a reference of which only the logits are there."""
FEW_TOKENS = 8 * 255
"""Fewer scored tokens tell of large differences only: KL divergence to about 6 % at eight chunks of 512."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What will be measured, once it is known to be possible."""

    reference: MeasuredFile
    files: tuple[MeasuredFile, ...]
    """The variants, in order."""
    text: MeasuredText
    n_ctx: int
    n_vocab: int
    chunks: int
    digest: str
    """Of the tokens."""
    notes: tuple[str, ...] = ()

    def logits_bytes(self, chunks: int) -> int:
        """Return what so many chunks of logits take on a disk, of all the head too."""
        if chunks >= self.chunks:
            return file_bytes(self.n_ctx, self.n_vocab, chunks)
        return chunks * chunk_bytes(self.n_ctx, self.n_vocab)


class Preparation:
    """Looks at text, reference and variants."""

    def __init__(self, measurer: Measurer, workspace: Workspace, hashes: Hashes) -> None:
        self._measurer = measurer
        self._workspace = workspace
        self._hashes = hashes

    async def prepare(self, request: MeasureRequest) -> Ready:
        """Return what will be measured.

        Raises:
            UsageError: vocabularies differ, the text is too short, a model cannot be measured.
            BadFileError: a file cannot be read.
        """
        ready = await (self._of_reference(request) if request.reference is not None else self._of_logits(request))
        if ready.n_ctx != DEFAULT_CONTEXT:
            note = f"chunks of {ready.n_ctx} tokens: not comparable with figures at {DEFAULT_CONTEXT}"
            ready = _noted(ready, note)
        scored = ready.chunks * (ready.n_ctx - 1 - ready.n_ctx // 2)
        if scored < LEAST_TOKENS:
            raise UsageError(
                f"{scored} scored tokens are too few for any statement", f"take more --chunks: {LEAST_TOKENS} or more"
            )
        if scored < FEW_TOKENS:
            ready = _noted(ready, f"only {scored} tokens are scored: small differences do not show")
        return ready

    async def _of_reference(self, request: MeasureRequest) -> Ready:
        reference, text = request.reference, request.text
        assert reference is not None and text is not None
        told = await self._tokens(reference, text, request)
        if told.chunks == 0:
            missing = 2 * request.n_ctx - told.tokens
            raise UsageError(
                f"the text {clean_name(text.name)} is too short: {told.tokens} tokens, "
                f"{missing} are missing for two chunks of {request.n_ctx}",
                "take a longer text, or a smaller --ctx-size",
            )
        for variant in request.variants:
            if variant.path != reference.path:
                check_alike(told, await self._tokens(variant, text, request), variant, reference.title)
        notes = () if is_whole(reference) else (
            f"the reference is quantised itself ({reference.quant}): what it lost does not show",
        )  # fmt: skip
        return Ready(
            await self._file(reference), tuple([await self._file(variant) for variant in request.variants]),
            MeasuredText(text.name, text.sha256, told.tokens), request.n_ctx, told.vocabulary, told.chunks, told.digest,
            notes,
        )  # fmt: skip

    async def _of_logits(self, request: MeasureRequest) -> Ready:
        stored = await self._workspace.look(request.logits)
        head, name = stored.head, clean_name(PurePath(request.logits).name)
        whole = head.whole_chunks(stored.size)
        chunks = min(request.chunks or head.n_chunk, head.n_chunk)
        if whole < chunks:
            hint = f"--chunks {whole} measures on those" if whole else "write it again"
            raise BadFileError(f"{name} is cut off: {whole} of {head.n_chunk} chunks are whole", hint)
        for variant in request.variants:
            told = await self._tokens(variant, None, request)
            if told.vocabulary != head.n_vocab:
                raise other_vocabulary(variant, told.vocabulary, name, head.n_vocab)
        first = request.variants[0]
        reference = MeasuredFile("", first.model, STORED, 0, f"logits:{stored.identity}")
        return Ready(
            reference, tuple([await self._file(variant) for variant in request.variants]),
            MeasuredText(name, head.digest, head.n_ctx * head.n_chunk), head.n_ctx, head.n_vocab, chunks, head.digest,
            (f"text, reference and build are those of {name}, which does not name them",),
        )  # fmt: skip

    async def _tokens(self, variant: Variant, text: TextFile | None, request: MeasureRequest) -> TextTokenised:
        job = MeasureJob(
            Task.TOKENS, str(variant.path.absolute()), text.path if text else "", request.n_ctx, request.chunks
        )
        return await tokenised(self._measurer, variant, job)

    async def _file(self, variant: Variant) -> MeasuredFile:
        return MeasuredFile.of(variant, await self._hashes.hash(variant))


def _noted(ready: Ready, note: str) -> Ready:
    return replace(ready, notes=(*ready.notes, note))
