"""What the history keeps of duels: rounds with their answers, votes, plans and numbers, and the results of suites.

With the files' hashes and llama.cpp's build, so that a number can be told from one that another file or another build
gave. How much is kept is the user's choice (`core.settings.Keep`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qtui.core.duel.ballot import Vote
from qtui.core.duel.conversation import Sampling
from qtui.core.duel.degeneration import degeneration
from qtui.core.duel.difference import Difference, DifferentToken, difference
from qtui.core.duel.report import round_difference
from qtui.core.duel.run import RoundEnded
from qtui.core.duel.side import SideResult
from qtui.core.duel.suite.score import Result, SuiteScore, score
from qtui.core.library.variant import Variant


@dataclass(frozen=True, slots=True)
class Party:
    """The file on a side, as it was."""

    side: str
    path: str
    model: str
    quant: str
    size: int
    """Bytes."""
    hash: str
    """`sha256:…` of the file, `partial:…` of its size and ends where it is large; empty: not known."""
    plan: dict[str, Any] = field(default_factory=dict)
    """As it was used, or for a suite's run as it was wanted; empty where nothing was loaded."""

    @staticmethod
    def of(side: str, variant: Variant, digest: str, plan: dict[str, Any] | None = None) -> Party:
        """Return a variant as a party."""
        return Party(side, str(variant.path), variant.model, variant.quant, variant.size, digest, plan or {})

    @property
    def title(self) -> str:
        """Return `model quant`."""
        return f"{self.model} {self.quant}"

    @property
    def identity(self) -> str:
        """Return what tells this file from others."""
        return self.hash or self.path

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return {
            "side": self.side, "file": self.path, "model": self.model, "quant": self.quant, "size": self.size,
            "hash": self.hash or None, "plan": self.plan,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class SideRecord:
    """What a side did in a round."""

    party: Party
    text: str | None = None
    """None: not answered, or not kept."""
    thinking: str | None = None
    finish_reason: str | None = None
    remark: str = ""
    """Signs of degeneration, as a sentence."""
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    load_time: float | None = None
    time_to_first_token: float | None = None
    prompt_rate: float | None = None
    generation_rate: float | None = None
    peak: int | None = None
    """Bytes."""
    failure: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return {
            **self.party.as_json(), "text": self.text, "thinking": self.thinking, "finish_reason": self.finish_reason,
            "remark": self.remark, "prompt_tokens": self.prompt_tokens, "generated_tokens": self.generated_tokens,
            "load_time": self.load_time, "time_to_first_token": self.time_to_first_token,
            "prompt_rate": self.prompt_rate, "generation_rate": self.generation_rate, "peak_rss": self.peak,
            "failure": self.failure or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """One round."""

    id: str
    time: float
    """Seconds since the epoch."""
    prompt: str | None
    """None: not kept."""
    mode: str
    sampling: dict[str, Any]
    system: str | None
    engine: str
    build: str
    """Of llama.cpp."""
    sides: tuple[SideRecord, ...]
    blind: bool = False
    vote: Vote | None = None
    token: DifferentToken | None = None
    """The first one that the answers do not share; None: they share all, or it is not known."""

    @property
    def difference(self) -> Difference | None:
        """Return how far both answers are apart; None unless two texts are kept."""
        texts = [side.text for side in self.sides if side.text is not None]
        if len(texts) != 2 or len(self.sides) != 2:
            return None
        return difference(texts[0], texts[1], self.token)

    @property
    def apart(self) -> str:
        """Return how far both answers are apart as a line; empty where that is not known."""
        if self.difference is not None:
            return self.difference.sentence
        return f"differ from token {self.token.place}" if self.token else ""

    @property
    def pair(self) -> str:
        """Return what names the two files, whichever side each was on; empty for one side."""
        return pair_of([side.party for side in self.sides])

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return {
            "id": self.id, "time": self.time, "prompt": self.prompt, "mode": self.mode, "sampling": self.sampling,
            "system": self.system, "engine": self.engine, "build": self.build, "blind": self.blind,
            "vote": self.vote.value if self.vote else None, "sides": [side.as_json() for side in self.sides],
            "difference": self.difference.as_json() if self.difference else None,
            "first_differing_token": self.token.as_json() if self.token else None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Voted:
    """A vote on two files, without what was said in the round."""

    files: tuple[str, str]
    """What tells them from others (`Party.identity`), side A's first."""
    sizes: tuple[int, int]
    """Bytes."""
    vote: Vote


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """One run of a suite."""

    id: str
    time: float
    suite: str
    digest: str
    """Of the suite's file."""
    tasks: int
    sampling: dict[str, Any]
    engine: str
    build: str
    parties: tuple[Party, ...]
    results: tuple[Result, ...] = ()
    complete: bool = False

    @property
    def key(self) -> str:
        """Return what must be the same for a run to be taken up again."""
        parties = "|".join(f"{party.side}={party.identity}{sorted(party.plan.items())!r}" for party in self.parties)
        return f"{self.suite}|{self.digest}|{self.build}|{sorted(self.sampling.items())!r}|{parties}"

    @property
    def score(self) -> SuiteScore:
        """Return what the results say."""
        return score(self.results)

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return {
            "id": self.id, "time": self.time, "suite": self.suite, "digest": self.digest, "tasks": self.tasks,
            "sampling": self.sampling, "engine": self.engine, "build": self.build, "complete": self.complete,
            "sides": [party.as_json() for party in self.parties],
            "results": [result.as_json() for result in self.results], "score": self.score.as_json(),
        }  # fmt: skip


def new_id() -> str:
    """Return a new name for a round or a run."""
    return uuid.uuid4().hex


def pair_of(parties: Sequence[Party]) -> str:
    """Return what names two files, whichever side each was on; empty unless there are two."""
    return "|".join(sorted(party.identity for party in parties)) if len(parties) == 2 else ""


def sampling_json(sampling: Sampling) -> dict[str, Any]:
    """Return how tokens were chosen, as plain values."""
    return {
        "temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p,
        "min_p": sampling.min_p, "repeat_penalty": sampling.repeat_penalty, "seed": sampling.seed,
        "max_tokens": sampling.max_tokens, "stop": list(sampling.stop),
    }  # fmt: skip


def side_record(side: SideResult, prompt: str, digest: str) -> SideRecord:
    """Return what a side did as it is kept."""
    answer = side.answer
    plan = side.loaded.plan if side.loaded else side.weighing.plan.as_json() if side.weighing else {}
    party = Party.of(side.side, side.variant, digest, plan)
    failure = side.failure.message if side.failure else ""
    if answer is None:
        return SideRecord(party, failure=failure)
    return SideRecord(
        party, answer.text, answer.thinking, answer.finish_reason,
        degeneration(answer.text, answer.finish_reason, prompt).sentence, answer.prompt_tokens,
        answer.generated_tokens, side.loaded.load_time if side.loaded else None, answer.time_to_first_token,
        answer.prompt_rate, answer.generation_rate, answer.memory.peak, failure,
    )  # fmt: skip


def round_sides(ended: RoundEnded, digests: dict[str, str]) -> tuple[SideRecord, ...]:
    """Return the sides of a round as they are kept; `digests` by side."""
    return tuple(side_record(side, ended.prompt, digests.get(side.side, "")) for side in ended.sides)


def round_token(ended: RoundEnded) -> DifferentToken | None:
    """Return the first token that two answers do not share."""
    apart = round_difference(ended)
    return apart.token if apart else None


def without_text(record: RoundRecord) -> RoundRecord:
    """Return a round without anything that was written in it."""
    sides = tuple(replace(side, text=None, thinking=None) for side in record.sides)
    token = DifferentToken(record.token.place, None, None) if record.token else None
    return replace(record, prompt=None, system=None, sides=sides, token=token)
