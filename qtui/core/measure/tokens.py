"""What a text is to a variant, and whether two read it alike."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

from qtui.core.errors import EngineError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.measure.messages import MeasureJob, Task, TextTokenised
from qtui.core.measure.ports import Measurer


async def tokenised(measurer: Measurer, variant: Variant, job: MeasureJob) -> TextTokenised:
    """Return what the text of a job is to a variant, whichever file and task the job names.

    Raises:
        UsageError: the variant cannot be measured.
        QtuiError: it cannot be read.
    """
    told: TextTokenised | None = None
    job = replace(job, task=Task.TOKENS, path=str(variant.path.absolute()))
    async with aclosing(measurer.run(job)) as events:
        async for event in events:
            if isinstance(event, TextTokenised):
                told = event
    if told is None:
        raise EngineError(f"{variant.title} was not read")
    if told.unmeasurable:
        raise UsageError(f"{variant.title} cannot be measured: {told.unmeasurable}")
    return told


def check_alike(told: TextTokenised, other: TextTokenised, variant: Variant, reference: str) -> None:
    """Refuse a variant that does not read a text as its reference does.

    Args:
        told: of the reference.
        other: of the variant.
        variant: which it is.
        reference: what the reference is called.

    Raises:
        UsageError: vocabularies or tokens differ.
    """
    if other.vocabulary != told.vocabulary:
        raise other_vocabulary(variant, other.vocabulary, reference, told.vocabulary)
    if other.digest != told.digest:
        raise UsageError(
            f"{variant.title} divides the text into other tokens than {reference}",
            "their tokenizers differ: they are not of the same model, or one file has an older tokenizer",
        )


def other_vocabulary(variant: Variant, size: int, reference: str, other: int) -> UsageError:
    """Return the refusal of a variant whose vocabulary has another size."""
    return UsageError(
        f"{variant.title} has a vocabulary of {size} tokens, {reference} one of {other}",
        "a reference must be of the same model",
    )
