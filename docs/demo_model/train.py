"""Train the model: float32 weights, bfloat16 products, Muon for matrices and AdamW for the rest.

    python train.py --tokenizer tokenizer.json --dev dev.jsonl --out run --minutes 80

The schedule follows the clock, so that a run fits its minutes on any machine; a gap of over fifteen seconds between two steps
is a pause and not counted. `--until HH:MM` (UTC) sets an end instead. A run that was cut off goes on with `--resume`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from exact import Prompt, exact_matches, read_prompts
from model import Model, Shape
from packing import NOTHING, WEIGHTS, Encoder, Rows, pack
from torch import Tensor, nn

TOKENS_PER_BATCH = 4096
PAUSE_SECONDS = 15.0
STREAMS = (("short", 256), ("recall", 256), ("recall", 512), ("recall", 1024))
STAGES = (
    (0.00, (0.80, 0.20, 0.00, 0.00)),
    (0.40, (0.74, 0.10, 0.16, 0.00)),
    (0.62, (0.70, 0.06, 0.08, 0.16)),
)
"""From which part of the run on: the shares of the streams."""
WARM_UP_STEPS = 60
CONSTANT_UNTIL = 0.25
"""After this part of the run the learning rates fall, in a straight line."""
LOWEST = 0.02


def _make_rows(job: tuple[Path, str, int, int, int]) -> Rows:
    path, stream, length, rows, seed = job
    return pack(Encoder(path), stream, length, rows, seed)


@dataclass
class Stream:
    """Rows without end: while one lot is used, a process beside makes the next."""

    pool: Any
    tokenizer: Path
    name: str
    length: int
    seed: int
    lot: int = 0
    _rows: Rows | None = None
    _next: Any = None
    _at: int = 0

    def batch(self) -> Rows:
        """Return the rows of the next step."""
        size = TOKENS_PER_BATCH // self.length
        if self._rows is None or self._at + size > len(self._rows.tokens):
            self._rows, self._next, self._at = (self._next or self._order()).get(), self._order(), 0
        rows, at = self._rows, self._at
        self._at += size
        return Rows(*(part[at : at + size] for part in (rows.tokens, rows.marks, rows.documents)))

    def _order(self) -> Any:
        rows = 120 * TOKENS_PER_BATCH // self.length
        self.lot += 1
        return self.pool.apply_async(
            _make_rows, ((self.tokenizer, self.name, self.length, rows, self.seed * 100_003 + self.lot),)
        )


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

    def __init__(self, weights: Iterable[nn.Parameter], decay: float) -> None:
        self.decay = decay
        groups: dict[tuple[int, int], list[nn.Parameter]] = {}
        for weight in weights:
            rows, columns = weight.shape
            groups.setdefault((min(rows, columns), max(rows, columns)), []).append(weight)
        self.groups = list(groups.values())
        self.momenta = [torch.zeros(len(group), *shape) for shape, group in groups.items()]

    @torch.no_grad()
    def step(self, rate: float, momentum: float) -> None:
        """Take one step."""
        for group, kept in zip(self.groups, self.momenta):
            wide = [weight.shape[0] <= weight.shape[1] for weight in group]
            gradients = torch.stack([w.grad if is_wide else w.grad.t() for w, is_wide in zip(group, wide)])
            kept.lerp_(gradients, 1 - momentum)
            for weight, is_wide, update in zip(group, wide, orthogonal(gradients.lerp(kept, momentum))):
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


class Run:
    """One training run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        torch.manual_seed(options.seed)
        self.rng = np.random.default_rng(options.seed)
        self.model = Model(Shape())
        named = list(self.model.named_parameters())
        matrices = [w for name, w in named if w.dim() == 2 and not name.startswith("token_embd")]
        self.others = [w for name, w in named if w.dim() < 2 or name.startswith("token_embd")]
        self.muon = Muon(matrices, options.decay)
        self.adam = torch.optim.AdamW(self.others, lr=options.other_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
        self.weights = torch.tensor(WEIGHTS)
        self.step = self.tokens = 0
        self.encoder = Encoder(options.tokenizer)
        self.prompts: dict[str, list[Prompt]] = read_prompts(options.dev, self.encoder, options.dev_prompts)
        self.clock = Clock(options.end)
        self.lots = [0] * len(STREAMS)
        if options.resume:
            self._restore(torch.load(options.out / "last.pt"))

    def train(self) -> None:
        """Train to the end of the time."""
        options = self.options
        self.streams = [
            Stream(options.pool, options.tokenizer, name, length, options.seed * 10 + number, self.lots[number])
            for number, (name, length) in enumerate(STREAMS)
        ]
        losses: dict[int, list[float]] = {number: [] for number in range(len(STREAMS))}
        next_look = self.clock.worked + options.look * 60
        self.clock.skip()
        while (part := self.clock.part) < 1:
            number, loss = self._step(part)
            losses[number] = [*losses[number][-39:], loss]
            self.clock.tick()
            if self.step % 50 == 0:
                means = {"/".join(map(str, STREAMS[n])): round(float(np.mean(v)), 3) for n, v in losses.items() if v}
                self._say(f"step {self.step} part {part:.3f} {self.tokens / 1e6:.2f} M tokens "
                          f"{self.tokens / max(self.clock.worked, 1):.0f}/s loss {means}")  # fmt: skip
            if self.step % 200 == 0:
                self.save("last.pt")
            if self.clock.worked >= next_look:
                next_look += options.look * 60
                self.look()
                self.clock.skip()
        self.look()
        self.save("last.pt")

    def _step(self, part: float) -> tuple[int, float]:
        shares = np.array([shares for start, shares in STAGES if part >= start][-1])
        number = int(self.rng.choice(len(STREAMS), p=shares / shares.sum()))
        rows = self.streams[number].batch()
        tokens = torch.from_numpy(rows.tokens.astype(np.int64))
        marks = torch.from_numpy(rows.marks[:, 1:].astype(np.int64))
        counted = marks != NOTHING
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self.model.hidden(tokens[:, :-1], torch.from_numpy(rows.documents[:, :-1]))
            logits = self.model.logits(hidden[counted])
        each = F.cross_entropy(logits.float(), tokens[:, 1:][counted], reduction="none")
        weights = self.weights[marks[counted]]
        ((each * weights).sum() / weights.sum()).backward()
        fall = min(1.0, max(LOWEST, (1 - part) / (1 - CONSTANT_UNTIL)))
        scale = min(1.0, (self.step + 1) / WARM_UP_STEPS) * fall
        torch.nn.utils.clip_grad_norm_(self.others, 1.0)
        for group in self.adam.param_groups:
            group["lr"] = self.options.other_rate * scale
        self.muon.step(self.options.rate * scale, min(0.95, 0.85 + 0.1 * self.step / 300))
        self.adam.step()
        self.model.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += tokens[:, :-1].numel()
        answers = marks[counted] > 1
        return number, float(each.detach()[answers].mean())

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
        self._say(f"LOOK {minutes:.1f} min {self.tokens / 1e6:.1f} M {scores} {by_kind} ({time.monotonic() - started:.0f} s)")
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
            "muon": self.muon.momenta, "step": self.step, "tokens": self.tokens, "worked": self.clock.worked,
            "lots": [stream.lot for stream in self.streams],
        }, part)  # fmt: skip
        part.replace(path)

    def _restore(self, kept: dict[str, Any]) -> None:
        self.model.load_state_dict(kept["model"])
        if self.options.fresh:
            return
        self.adam.load_state_dict(kept["adam"])
        self.muon.momenta = kept["muon"]
        self.step, self.tokens, self.clock.worked = kept["step"], kept["tokens"], kept["worked"]
        self.lots = kept["lots"]

    def _say(self, line: str) -> None:
        print(datetime.now(timezone.utc).strftime("%H:%M:%S"), line, flush=True)


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
    parser.add_argument("--rate", type=float, default=0.02, help="Muon's")
    parser.add_argument("--other-rate", type=float, default=3e-3, help="AdamW's")
    parser.add_argument("--decay", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="with --resume: take the weights only")
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
    torch.set_num_threads(options.threads)
    with multiprocessing.get_context("spawn").Pool(1) as options.pool:
        Run(options).train()


if __name__ == "__main__":
    main()
