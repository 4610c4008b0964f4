"""Train the model: float32 weights, bfloat16 products, Muon for matrices and AdamW for the rest.

    python train.py --tokenizer tokenizer.json --dev dev.jsonl --out run --minutes 80

Each worker is a process with one thread: it takes its part of every batch, and of the matrices to be updated; weights
and gradients lie in shared memory. That uses two busy cores better than threads, which wait for each other in every
product. The schedule follows the clock, so that a run fits its minutes on any machine; a gap of over fifteen seconds
between two steps is a pause and not counted. `--until HH:MM` (UTC) sets an end instead. A run that was cut off goes on
with `--resume`, and so does one from the weights that `warm_start.py` takes over.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from exact import exact_matches, read_prompts
from model import Model, Shape
from packing import NOTHING, WEIGHTS, Encoder, Rows, pack
from torch import Tensor, multiprocessing, nn

TOKENS_PER_STEP = 4096
PAUSE_SECONDS = 15.0
STREAMS = (("short", 256), ("recall", 256), ("recall", 512), ("recall", 1024))
STAGES = (
    (0.00, (0.66, 0.20, 0.10, 0.04)),
    (0.40, (0.64, 0.14, 0.14, 0.08)),
    (0.70, (0.64, 0.10, 0.14, 0.12)),
)
"""From which part of the run on: the shares of the streams."""
WARM_UP_STEPS = 60
CONSTANT_UNTIL = 0.25
"""After this part of the run the learning rates fall, in a straight line."""
LOWEST = 0.02


@dataclass
class Stream:
    """Rows without end, made a lot at a time."""

    encoder: Encoder
    name: str
    length: int
    seed: int
    lot: int = 0
    _rows: Rows | None = None
    _at: int = 0

    def batch(self, size: int) -> Rows:
        """Return the next rows."""
        if self._rows is None or self._at + size > len(self._rows.tokens):
            self.lot += 1
            self._rows = pack(self.encoder, self.name, self.length, 60 * size, self.seed * 100_003 + self.lot)
            self._at = 0
        rows, at = self._rows, self._at
        self._at += size
        return Rows(*(part[at : at + size] for part in (rows.tokens, rows.marks, rows.documents)))


def orthogonal(matrices: Tensor) -> Tensor:
    """Return matrices near those given with all singular values near 1 (Newton-Schulz, five rounds)."""
    x = matrices.bfloat16()
    x = x / (x.float().norm(dim=(1, 2), keepdim=True).bfloat16() + 1e-7)
    for _ in range(5):
        square = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * (square @ square)) @ x
    return x.float()


class Muon:
    """Momentum, then the nearest orthogonal matrix; matrices of one shape are worked on together."""

    def __init__(self, weights: Sequence[nn.Parameter], momenta: Sequence[Tensor], decay: float) -> None:
        self.decay = decay
        self.groups: dict[tuple[int, ...], list[tuple[nn.Parameter, Tensor]]] = {}
        for weight, momentum in zip(weights, momenta):
            self.groups.setdefault(tuple(sorted(weight.shape)), []).append((weight, momentum))

    @torch.no_grad()
    def step(self, rate: float, momentum: float) -> None:
        """Take one step."""
        for group in self.groups.values():
            for weight, kept in group:
                kept.lerp_(weight.grad, 1 - momentum)
            wide = [weight.shape[0] <= weight.shape[1] for weight, _ in group]
            ahead = [weight.grad.lerp(kept, momentum) for weight, kept in group]
            updates = orthogonal(torch.stack([x if is_wide else x.t() for x, is_wide in zip(ahead, wide)]))
            for (weight, _), is_wide, update in zip(group, wide, updates):
                weight.mul_(1 - rate * self.decay)
                rows, columns = weight.shape
                weight.add_(update if is_wide else update.t(), alpha=-rate * max(1.0, rows / columns) ** 0.5)


@dataclass
class Clock:
    """How far the run is: time worked against time left, pauses left out."""

    end: datetime
    worked: float = 0.0
    _last: float = field(default_factory=time.monotonic)

    def tick(self) -> None:
        """Count the time since the last tick, unless it was a pause."""
        now = time.monotonic()
        if now - self._last < PAUSE_SECONDS:
            self.worked += now - self._last
        self._last = now

    def skip(self) -> None:
        """Do not count the time since the last tick."""
        self._last = time.monotonic()

    @property
    def part(self) -> float:
        """Return how much of the run is done, 1 at its end."""
        left = (self.end - datetime.now(timezone.utc)).total_seconds()
        return 1.0 if left <= 0 else self.worked / (self.worked + left)


@dataclass
class Shared:
    """What the workers have in common; all of it in shared memory."""

    model: Model
    momenta: list[Tensor]
    """Muon's, one for each weight that it updates."""
    gradients: list[list[Tensor]]
    """By worker and weight."""
    part: Tensor
    """How much of the run is done."""
    barrier: Any

    @staticmethod
    def of(model: Model, workers: int) -> Shared:
        """Return it for a model."""
        model.share_memory()
        weights = list(model.parameters())
        return Shared(
            model, [torch.zeros_like(w).detach().share_memory_() for w in weights],
            [[torch.zeros_like(w).detach().share_memory_() for w in weights] for _ in range(workers)],
            torch.zeros(()).share_memory_(), multiprocessing.get_context("spawn").Barrier(workers),
        )  # fmt: skip


class Worker:
    """One of the processes that train; the first also looks at the dev set and keeps the checkpoints."""

    def __init__(self, number: int, shared: Shared, options: argparse.Namespace, kept: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.number, self.shared, self.options = number, shared, options
        self.model = shared.model
        self.rng = np.random.default_rng(options.seed + kept.get("step", 0))
        self.encoder = Encoder(options.tokenizer)
        lots = kept.get("lots", [0] * len(STREAMS))
        self.streams = [
            Stream(self.encoder, name, length, (options.seed * 10 + place) * 10 + number, lot)
            for place, ((name, length), lot) in enumerate(zip(STREAMS, lots))
        ]
        named = list(self.model.named_parameters())
        matrices = [
            (w, m) for (name, w), m in zip(named, shared.momenta) if w.dim() == 2 and not name.startswith("token_embd")
        ]
        ours = matrices[number :: options.workers]
        self.muon = Muon([w for w, _ in ours], [m for _, m in ours], options.decay)
        self.others = [w for name, w in named if w.dim() < 2 or name.startswith("token_embd")] if number == 0 else []
        kept_by_us = {id(weight) for weight in (*self.others, *(weight for weight, _ in ours))}
        self.owned = [place for place, (_, weight) in enumerate(named) if id(weight) in kept_by_us]
        if number == 0:
            self.adam = torch.optim.AdamW(self.others, lr=1.0, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
            if "adam" in kept:
                self.adam.load_state_dict(kept["adam"])
            self.prompts = read_prompts(options.dev, self.encoder, options.dev_prompts)
        for weight, gradient in zip(self.model.parameters(), shared.gradients[number]):
            weight.grad = gradient
        self.weights = torch.tensor(WEIGHTS)
        self.step: int = kept.get("step", 0)
        self.tokens: int = kept.get("tokens", 0)
        self.clock = Clock(options.end, kept.get("worked", 0.0))
        self.losses: dict[str, list[float]] = {}

    def train(self) -> None:
        """Train to the end of the time."""
        next_look = self.clock.worked + self.options.look * 60
        self.clock.skip()
        self._share_part()
        while (part := float(self.shared.part)) < 1:
            self._pass(part)
            self.shared.barrier.wait()
            self._update(part)
            if self.number == 0:
                self.clock.tick()
                self._tell(part)
                if self.clock.worked >= next_look:
                    next_look += self.options.look * 60
                    self.look()
                    self.clock.skip()
            self._share_part()
        if self.number == 0:
            self.look()
            self.save("last.pt")

    def _share_part(self) -> None:
        """Wait for each other, and take up what the first worker says of the time."""
        self.shared.barrier.wait()
        if self.number == 0:
            self.shared.part.fill_(self.clock.part)
        self.shared.barrier.wait()

    def _pass(self, part: float) -> None:
        """Work out the gradients of our part of a batch."""
        shares = np.array([shares for start, shares in STAGES if part >= start][-1])
        stream = self.streams[int(self.rng.choice(len(STREAMS), p=shares / shares.sum()))]
        rows = stream.batch(TOKENS_PER_STEP // self.options.workers // stream.length)
        tokens = torch.from_numpy(rows.tokens.astype(np.int64))
        marks = torch.from_numpy(rows.marks[:, 1:].astype(np.int64))
        counted = marks != NOTHING
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self.model.hidden(tokens[:, :-1], torch.from_numpy(rows.documents[:, :-1]))
            logits = self.model.logits(hidden[counted])
        each = F.cross_entropy(logits.float(), tokens[:, 1:][counted], reduction="none")
        weights = self.weights[marks[counted]]
        for gradient in self.shared.gradients[self.number]:
            gradient.zero_()
        ((each * weights).sum() / weights.sum()).backward()
        self.step += 1
        self.tokens += TOKENS_PER_STEP
        recent = self.losses.setdefault(f"{stream.name}/{stream.length}", [])
        recent.append(float(each.detach()[marks[counted] > 1].mean()))
        del recent[:-40]

    @torch.no_grad()
    def _update(self, part: float) -> None:
        """Update the weights that are ours by the mean of all gradients."""
        for place in self.owned:
            first, *more = (gradients[place] for gradients in self.shared.gradients)
            mean = first.clone()
            for gradient in more:
                mean += gradient
            list(self.model.parameters())[place].grad = mean.div_(len(more) + 1)
        fall = min(1.0, max(LOWEST, (1 - part) / (1 - CONSTANT_UNTIL)))
        scale = min(1.0, self.step / WARM_UP_STEPS) * fall
        self.muon.step(self.options.rate * scale, min(0.95, 0.85 + 0.1 * self.step / 300))
        if self.others:
            torch.nn.utils.clip_grad_norm_(self.others, 1.0)
            for group in self.adam.param_groups:
                group["lr"] = self.options.other_rate * scale
            self.adam.step()
        for weight, gradient in zip(self.model.parameters(), self.shared.gradients[self.number]):
            weight.grad = gradient

    def _tell(self, part: float) -> None:
        if self.step % 50 == 0:
            means = {stream: round(float(np.mean(losses)), 3) for stream, losses in self.losses.items()}
            rate = self.tokens / max(self.clock.worked, 1)
            self._say(f"step {self.step} part {part:.3f} {self.tokens / 1e6:.2f} M tokens {rate:.0f}/s loss {means}")
        if self.step % 200 == 0:
            self.save("last.pt")

    def look(self) -> None:
        """Write down the exact matches on the dev set, and keep the weights."""
        started = time.monotonic()
        found = {group: exact_matches(self.model, prompts) for group, prompts in self.prompts.items()}
        scores = {group: round(100 * sum(hits) / len(hits), 1) for group, hits in found.items()}
        kinds: dict[str, list[bool]] = {}
        for group, hits in found.items():
            for prompt, hit in zip(self.prompts[group], hits):
                kinds.setdefault(f"{group}/{prompt.kind}", []).append(hit)
        by_kind = {kind: f"{sum(hits)}/{len(hits)}" for kind, hits in kinds.items()}
        minutes = self.clock.worked / 60
        self._say(
            f"LOOK {minutes:.1f} min {self.tokens / 1e6:.1f} M {scores} {by_kind} ({time.monotonic() - started:.0f} s)"
        )
        record = {"minutes": minutes, "tokens": self.tokens, "step": self.step, "exact": scores, "kinds": by_kind}
        with (self.options.out / "looks.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
        self.save("look.pt")

    def save(self, name: str) -> None:
        """Write a checkpoint, whole or not at all."""
        path: Path = self.options.out / name
        part = path.with_suffix(".part")
        torch.save({
            "shape": self.model.shape.as_dict(), "model": self.model.state_dict(), "adam": self.adam.state_dict(),
            "momenta": self.shared.momenta, "step": self.step, "tokens": self.tokens, "worked": self.clock.worked,
            "lots": [stream.lot for stream in self.streams],
        }, part)  # fmt: skip
        part.replace(path)

    def _say(self, line: str) -> None:
        print(datetime.now(timezone.utc).strftime("%H:%M:%S"), line, flush=True)


def _work(number: int, shared: Shared, options: argparse.Namespace, kept: dict[str, Any]) -> None:
    Worker(number, shared, options, kept).train()


def options_of(words: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=80.0)
    parser.add_argument("--until", help="HH:MM in UTC, instead of --minutes")
    parser.add_argument("--look", type=float, default=5.0, help="minutes between two looks at the dev set")
    parser.add_argument("--dev-prompts", type=int, default=60, help="prompts of each group in a look")
    parser.add_argument("--rate", type=float, default=0.016, help="Muon's")
    parser.add_argument("--other-rate", type=float, default=3e-3, help="AdamW's")
    parser.add_argument("--decay", type=float, default=0.01)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(words)
    now = datetime.now(timezone.utc)
    options.end = now + timedelta(minutes=options.minutes)
    if options.until:
        hour, minute = map(int, options.until.split(":"))
        options.end = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        options.end += timedelta(days=int(options.end <= now))
    return options


def main() -> None:
    options = options_of()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    model = Model(Shape())
    kept: dict[str, Any] = torch.load(options.out / "last.pt") if options.resume else {}
    shared = Shared.of(model, options.workers)
    if kept:
        model.load_state_dict(kept.pop("model"))
        for ours, theirs in zip(shared.momenta, kept.pop("momenta", [])):
            ours.copy_(theirs)
    others = {key: kept[key] for key in ("step", "tokens", "worked", "lots") if key in kept}
    context = multiprocessing.get_context("spawn")
    more = [
        context.Process(target=_work, args=(number, shared, options, others), daemon=True)
        for number in range(1, options.workers)
    ]
    for process in more:
        process.start()
    _work(0, shared, options, kept)
    for process in more:
        process.join()


if __name__ == "__main__":
    main()
