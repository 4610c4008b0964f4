"""Measure what the demo model and its quants can do, on prompts that it was not trained on, through qtui's own engine.

    python -m tests.benchmarks.demo_quality [--model F16.gguf] [--set dev|test] [--quants F16,Q8_0,…] [--json FILE]

Makes the quants as `qtui demo` does and asks each of them every prompt greedily; prints, for each, the share of right
answers by group with 95 % intervals (Wilson), how many answers are others than F16's, and the perplexity. An answer is
right when it is the expected one to the letter. A story, of which many are right, has three sentences of known words
and the animal and the name that were asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from qtui.core.demo import DEMO_QUANTS
from qtui.core.duel.conversation import Message, Request, Sampling
from qtui.core.events import Answered, Failed, Loaded, SessionEvent
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.recipe import Recipe
from qtui.services.demo import SOURCE
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.quantise import quantise
from qtui.services.engine.sessions import Registry

ROOT = Path(__file__).parents[2]
SETS = ROOT / "docs" / "demo_model"
GROUPS = ("arithmetic", "text", "format", "recall", "story")
"""The five that count for the total."""
EXTRA = ("world", "other")
"""What it knows by heart, and that it says what it is when it is asked anything else."""
GREEDY = Sampling(temperature=0.0, seed=1, max_tokens=128)
PLAN = LoadPlan(ctx_size=1024, threads=1)
SESSIONS = 2
"""Sessions that a file is asked through at once, with one thread each."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of a set."""

    group: str
    kind: str
    prompt: str
    answer: str
    name: str = ""
    """The name in a story."""
    animal: str = ""
    """The animal in a story."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What one file does with a set."""

    quant: str
    size: int
    """Bytes."""
    texts: tuple[str, ...]
    right: tuple[bool, ...]
    perplexity_all: float
    perplexity_answers: float


def read_set(name: str) -> list[Prompt]:
    """Return the prompts of the `dev` or the `test` set."""
    lines = (SETS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Prompt(**json.loads(line)) for line in lines]


def words_of(text: str) -> set[str]:
    """Return the words in a text."""
    return set(re.findall(r"[A-Za-z]+", text))


def is_right(prompt: Prompt, text: str, known: set[str]) -> bool:
    """Tell whether an answer is right; `known` are the words that a story may use."""
    if prompt.group != "story":
        return text == prompt.answer
    sentences = re.split(r"(?<=\.) ", text)
    return (
        len(sentences) == len(set(sentences)) == 3
        and all(re.fullmatch(r"[A-Z][a-z]*,?(?: [A-Za-z]+,?){3,}\.", sentence) is not None for sentence in sentences)
        and prompt.name in words_of(sentences[0])
        and prompt.animal in words_of(sentences[0])
        and words_of(text) <= known
    )


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, in percent."""
    z, share = 1.96, right / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low, high = ((middle + sign * spread) / (1 + z * z / count) for sign in (-1, 1))
    return max(0.0, 100 * low), min(100.0, 100 * high)


async def _last(events: AsyncIterator[SessionEvent]) -> Answered | Loaded:
    """Return the event that a command ends with."""
    found = [event async for event in events][-1]
    if isinstance(found, Failed):
        raise SystemExit(f"qtui's engine failed: {found.failure.message}")
    assert isinstance(found, (Answered, Loaded))
    return found


async def _ask_some(
    engine: BuiltInEngine, path: Path, prompts: Sequence[Prompt], asked: asyncio.Queue[int]
) -> dict[int, str]:
    """Answer what is still in `asked` through one session."""
    session = engine.open(Variant(path, "qtui-demo", path.stem), PLAN)
    found = {}
    try:
        await _last(session.load())
        while not asked.empty():
            number = asked.get_nowait()
            request = Request((Message("user", prompts[number].prompt),), sampling=GREEDY, reuse_prefix=False)
            ended = await _last(session.ask(request))
            assert isinstance(ended, Answered)
            found[number] = ended.answer.text
    finally:
        await session.close()
    return found


async def answers(path: Path, prompts: Sequence[Prompt], folder: Path) -> tuple[str, ...]:
    """Return what a file answers to every prompt."""
    engine = BuiltInEngine(registry=Registry(lambda: folder), logs=lambda: folder)
    asked: asyncio.Queue[int] = asyncio.Queue()
    for number in range(len(prompts)):
        asked.put_nowait(number)
    parts = await asyncio.gather(*(_ask_some(engine, path, prompts, asked) for _ in range(SESSIONS)))
    found = {number: text for part in parts for number, text in part.items()}
    return tuple(found[number] for number in range(len(prompts)))


async def perplexity(path: Path, name: str) -> dict[str, float]:
    """Return the perplexity of a file on a set, over all tokens and over the answers."""
    module = "tests.benchmarks.demo_perplexity"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, path, SETS / f"{name}.jsonl", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{module} ended with status {process.returncode}")
    found = json.loads(out)
    return {key: float(found[key]) for key in ("all", "answers")}


async def made(source: Path, quant: str, folder: Path) -> Path:
    """Return the file of a quant of the source, made in `folder`; F16 is the source itself."""
    if quant == "F16":
        return source
    path = folder / f"qtui-demo-{quant}.gguf"
    async with contextlib.aclosing(quantise(source, path, Recipe(quant), overwrite=True)) as events:
        async for _ in events:
            pass
    return path


async def measure(
    source: Path, name: str, quants: Sequence[str], folder: Path, groups: Sequence[str] = (*GROUPS, *EXTRA)
) -> list[Quality]:
    """Return what each quant of the source does with the prompts of some groups of a set.

    The perplexity is that of the whole set. `folder` is for the quants and the engine's logs.
    """
    whole = read_set(name)
    known = {word for prompt in whole for word in words_of(f"{prompt.prompt} {prompt.answer}")}
    prompts = [prompt for prompt in whole if prompt.group in groups]
    found = []
    for quant in quants:
        path = await made(source, quant, folder)
        texts = await answers(path, prompts, folder)
        right = tuple(is_right(prompt, text, known) for prompt, text in zip(prompts, texts, strict=True))
        surprise = await perplexity(path, name)
        found.append(Quality(quant, path.stat().st_size, texts, right, surprise["all"], surprise["answers"]))
    return found


def share(prompts: Sequence[Prompt], quality: Quality, groups: Sequence[str]) -> tuple[int, int]:
    """Return how many prompts of some groups a file answers right, and how many there are."""
    hits = [right for prompt, right in zip(prompts, quality.right, strict=True) if prompt.group in groups]
    return sum(hits), len(hits)


def table(prompts: Sequence[Prompt], measured: Sequence[Quality]) -> str:
    """Return the measurements as a Markdown table."""
    heads = ("file", "bytes", *GROUPS, "the five", *EXTRA, "other than F16", "perplexity, all", "perplexity, answers")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    first = measured[0]
    for quality in measured:
        cells = [quality.quant, f"{quality.size:,}".replace(",", " ")]
        for groups in (*((group,) for group in GROUPS), GROUPS, *((group,) for group in EXTRA)):
            right, count = share(prompts, quality, groups)
            low, high = wilson(right, count)
            cells.append(f"{100 * right / count:.1f} ({low:.1f}–{high:.1f})")
        changed = sum(ours != theirs for ours, theirs in zip(quality.texts, first.texts, strict=True))
        cells += [str(changed), f"{quality.perplexity_all:.6f}", f"{quality.perplexity_answers:.6f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def kinds(prompts: Sequence[Prompt], quality: Quality) -> str:
    """Return the right answers of one file by kind, as a line."""
    counts: dict[str, list[bool]] = {}
    for prompt, right in zip(prompts, quality.right, strict=True):
        counts.setdefault(f"{prompt.group}/{prompt.kind}", []).append(right)
    return ", ".join(f"{kind} {sum(hits)}/{len(hits)}" for kind, hits in counts.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SOURCE)
    parser.add_argument("--set", choices=("dev", "test"), default="test")
    parser.add_argument(
        "--quants", default=",".join(("F16", *DEMO_QUANTS)), help="the first is what others differ from"
    )
    parser.add_argument("--json", type=Path, help="write the answers here")
    options = parser.parse_args()
    prompts = read_set(options.set)
    with tempfile.TemporaryDirectory() as folder:
        wanted = options.quants.split(",")
        measured = asyncio.run(measure(options.model.absolute(), options.set, wanted, Path(folder)))
    print(table(prompts, measured))
    print(f"\n{measured[0].quant} by kind: {kinds(prompts, measured[0])}")
    if options.json:
        options.json.write_text(json.dumps([asdict(quality) for quality in measured], indent=1))


if __name__ == "__main__":
    main()
