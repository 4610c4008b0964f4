"""Why llama.cpp refuses a plan, as sentences with a hint.

The closed form knows these before llama.cpp is asked; the child that asks recognises them in its log. Both say the
same words.
"""

from __future__ import annotations

from qtui.core.errors import PlanRefusedError

QUANTISED_V = (
    "a quantised V cache needs flash attention, which this plan or this model turns off",
    "take --flash-attn on or auto, or --cache-type-v f16",
)
HEAD_NOT_DIVIDED = (
    "a {type} {part} cache comes in blocks of {block}, which do not divide this model's head size of {head}",
    "take --cache-type-{lower} f16",
)
ONE_CACHE_TYPE = (
    "this model keeps K and V together, so their cache types must be the same, not {k} and {v}",
    "give --cache-type-k and --cache-type-v the same type",
)
ROWS_NOT_DIVIDED = (
    "a {type} {part} cache comes in blocks of {block}, which do not divide this model's rows",
    "take --cache-type-{lower} f16",
)
NO_BUFFER_TYPE = ("--override-tensor: there is no buffer type {name}", "this build has: {known}")


def refused(reason: tuple[str, str], **facts: object) -> PlanRefusedError:
    """Return the error of one of the reasons above, with its facts filled in."""
    sentence, hint = (text.format(**facts) for text in reason)
    return PlanRefusedError(sentence, hint)
