"""The rules of advice, as one table: when each holds, what it does, what it says, and where that comes from.

Numbers in the sentences are those of the sources that stand beside them; no other model need behave alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from qtui.core.advice.candidate import Candidate
from qtui.core.advice.wishes import Prefer, Use, Wishes
from qtui.core.measure.bands import Band


class Effect(StrEnum):
    """What a rule does with a candidate."""

    OUT = "out"
    """It is not an option."""
    WORSE = "worse"
    """It counts as one band worse."""
    MUCH_WORSE = "much worse"
    """It counts as two bands worse."""
    AHEAD = "ahead"
    """It goes before those that are as good."""
    BEHIND = "behind"
    """It goes after those that are as good."""
    SLOWER = "slower"
    """It goes after the others where speed goes first and rates are not known."""
    SAID = "said"
    """Its place stays; it is only said."""


STEPS = {Effect.WORSE: 1, Effect.MUCH_WORSE: 2}
"""Bands by which a rule moves a candidate."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What all candidates share."""

    wishes: Wishes
    candidates: tuple[Candidate, ...] = ()


When = Callable[[Candidate, Situation], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    when: When
    effect: Effect
    sentence: str
    """`{quant}` is the candidate's label, `{bits}` its bits per weight, `{note}` what keeps it from loading."""
    source: str
    """The address of what it rests on; `convention` where it is this program's own."""

    def said(self, candidate: Candidate) -> str:
        """Return the sentence about a candidate."""
        bits = "?" if candidate.bits is None else f"{candidate.bits:.2f}"
        return self.sentence.format(quant=candidate.label.text, bits=bits, note=candidate.unreadable)


CONVENTION = "convention"
PAPER = "https://arxiv.org/abs/2601.14277"
SCOREBOARD = "https://github.com/ggml-org/llama.cpp/blob/master/tools/perplexity/README.md"
QUANTIZE = "https://github.com/ggml-org/llama.cpp/blob/master/tools/quantize/README.md"
MXFP4_ADDED = "https://github.com/ggml-org/llama.cpp/pull/15091"
MXFP4_DENSE = "https://github.com/mudler/LocalAI/commit/1887385b79c7eebdea3f86425b2fe0b04327678a"
MMLU = "https://github.com/matt-c1/llama-3-quant-comparison"
LONG_INPUTS = "https://arxiv.org/abs/2505.20276"
REAP = "https://github.com/CerebrasResearch/reap"
RETIRED = "https://www.reddit.com/r/LocalLLaMA/comments/1rfds1h/"
NO_ORDER = "https://arxiv.org/abs/2606.19558"
UPLOADERS = "https://huggingface.co/bartowski/Meta-Llama-3.1-8B-Instruct-GGUF"

FEW_BITS, SOME_BITS = 4, 5
LARGER_BY = 2.0
"""Times the parameters, from which on two models are of two sizes."""
LEAST_OF_LARGER = 2.2
"""Bits per weight, from which on the larger model goes first."""


def _width(candidate: Candidate) -> int:
    """Return the bits of the quant's name, else those of the file, rounded down; 16 where nobody tells."""
    return candidate.label.width or int(candidate.bits or 16)


def larger_model(candidate: Candidate, situation: Situation) -> bool:
    """Tell whether a candidate is of a model that is much larger than another's that is asked about."""
    own = candidate.parameters
    others = [other.parameters for other in situation.candidates if other.parameters]
    return bool(own) and bool(others) and (own or 0) >= LARGER_BY * min(others)


def _broken(candidate: Candidate, _: Situation) -> bool:
    return bool(candidate.unreadable)


def _converted(candidate: Candidate, _: Situation) -> bool:
    return candidate.native and bool(candidate.shares) and not candidate.mxfp4


def _native_kept(candidate: Candidate, _: Situation) -> bool:
    return candidate.native and candidate.mxfp4


def _foreign_mxfp4(candidate: Candidate, _: Situation) -> bool:
    return candidate.mxfp4 and not candidate.native and candidate.label.mark != "UD-"


def _in_name_only(candidate: Candidate, _: Situation) -> bool:
    return "MXFP4" in candidate.label.base and bool(candidate.shares) and not candidate.mxfp4 and not candidate.native


def _retired(candidate: Candidate, _: Situation) -> bool:
    return candidate.label.mark == "UD-" and candidate.mxfp4 and not candidate.native


def _without_matrix(candidate: Candidate, _: Situation) -> bool:
    return _width(candidate) < FEW_BITS and candidate.imatrix is False and not candidate.native


def _matrix_unknown(candidate: Candidate, _: Situation) -> bool:
    return _width(candidate) < FEW_BITS and candidate.imatrix is None and not candidate.native


def _table_on_cpu(candidate: Candidate, _: Situation) -> bool:
    return candidate.label.i_quant and candidate.on_cpu


def _maths(candidate: Candidate, situation: Situation) -> bool:
    return situation.wishes.use is Use.MATHS and _width(candidate) < FEW_BITS and not candidate.native


def _instructions(candidate: Candidate, situation: Situation) -> bool:
    exact = (Use.TOOLS, Use.CODE)
    return situation.wishes.use in exact and _width(candidate) < FEW_BITS and not candidate.native


def _long(candidate: Candidate, situation: Situation) -> bool:
    return situation.wishes.use is Use.LONG and _width(candidate) < SOME_BITS and not candidate.native


def _larger_enough(candidate: Candidate, situation: Situation) -> bool:
    enough = candidate.bits is not None and candidate.bits >= LEAST_OF_LARGER
    return situation.wishes.prefer is Prefer.QUALITY and enough and larger_model(candidate, situation)


def _larger_too_small(candidate: Candidate, situation: Situation) -> bool:
    few = candidate.bits is not None and candidate.bits < LEAST_OF_LARGER
    return few and larger_model(candidate, situation)


def _near_lossless(candidate: Candidate, _: Situation) -> bool:
    return candidate.quality.band is Band.NONE


def _pruned(candidate: Candidate, _: Situation) -> bool:
    return candidate.pruned


def _own_mix(candidate: Candidate, _: Situation) -> bool:
    return candidate.label.mark == "UD-" or bool(candidate.label.beside)


RULES: Sequence[Rule] = (
    Rule("does not load", _broken, Effect.OUT, "{note}", QUANTIZE),
    Rule(
        "native MXFP4", _native_kept, Effect.SAID,
        "the model was trained in MXFP4 and this file keeps its experts so: builds of it with more bits are larger and "
        "hardly better, and the smallest goes first", MXFP4_ADDED,
    ),
    Rule(
        "native MXFP4, converted", _converted, Effect.WORSE,
        "the model was trained in MXFP4, and this file has converted its experts to another type", MXFP4_ADDED,
    ),
    Rule(
        "MXFP4 elsewhere", _foreign_mxfp4, Effect.MUCH_WORSE,
        "the model was not trained in MXFP4: on Qwen3 4B it cost 30.8 % perplexity where Q4_K_M cost 2.6 %",
        MXFP4_DENSE,
    ),
    Rule(
        "MXFP4 in name only", _in_name_only, Effect.SAID,
        "the name says MXFP4 and the file holds next to none: llama-quantize makes Q8_0 of a model without experts",
        QUANTIZE,
    ),
    Rule(
        "retired recipe", _retired, Effect.MUCH_WORSE,
        "a UD- file with MXFP4 in it is of a recipe that its publisher withdrew in February 2026: 0.0524 on "
        "Qwen3.5 35B-A3B, where another publisher's Q4_K_M had 0.0102", RETIRED,
    ),
    Rule(
        "no importance matrix below 4 bits", _without_matrix, Effect.WORSE,
        "it was made without an importance matrix, which took 25 % off the KL divergence of Q2_K on LLaMA 3 8B",
        SCOREBOARD,
    ),
    Rule(
        "importance matrix not noted", _matrix_unknown, Effect.BEHIND,
        "it is not noted whether it was made with an importance matrix; below 4 bits take one that was", SCOREBOARD,
    ),
    Rule(
        "maths", _maths, Effect.WORSE,
        "below 4 bits GSM8K fell on Llama 3.1 8B: Q3_K_M by 4.5 points, Q3_K_S by 9.3", PAPER,
    ),
    Rule(
        "exact forms", _instructions, Effect.WORSE,
        "below 4 bits a model follows forms less well: IFEval of Q3_K_S fell by 5.0 points on Llama 3.1 8B", PAPER,
    ),
    Rule(
        "long documents", _long, Effect.WORSE,
        "below 5 bits long inputs suffered up to 59 % in one study (of GPTQ, AWQ and NF4), others disagree; of GGUF "
        "nothing is published", LONG_INPUTS,
    ),
    Rule(
        "i-quants on the processor", _table_on_cpu, Effect.SLOWER,
        "{quant} looks its values up in tables, which processors do more slowly than K-quants of that size", UPLOADERS,
    ),
    Rule(
        "larger model first", _larger_enough, Effect.AHEAD,
        "at {bits} bits it goes before models of half its size or less, whatever their bits: Llama 3 70B at IQ2_XS "
        "had 74.9 in MMLU, 8B in F16 65.2", MMLU,
    ),
    Rule(
        "larger model, too few bits", _larger_too_small, Effect.BEHIND,
        "at {bits} bits the larger model gains nothing: Llama 3 70B at IQ1_M had 65.2 in MMLU, as 8B in F16", MMLU,
    ),
    Rule(
        "no measurable difference", _near_lossless, Effect.SAID,
        "among near-lossless quants no difference can be measured in answers, so the smaller goes first", NO_ORDER,
    ),
    Rule(
        "pruned", _pruned, Effect.BEHIND,
        "experts were taken out of the model (REAP): it is another model, and figures of the whole one say nothing",
        REAP,
    ),
    Rule(
        "a publisher's own mix", _own_mix, Effect.SAID,
        "{quant} is a publisher's own mix: its name is no recipe, its header tells which types it holds", CONVENTION,
    ),
)  # fmt: skip
"""All rules, in the order in which they are said."""


def rules_of(candidate: Candidate, situation: Situation) -> tuple[Rule, ...]:
    """Return the rules that hold for a candidate."""
    return tuple(rule for rule in RULES if rule.when(candidate, situation))
