"""Print the perplexity of a model on prompts with their answers, as JSON: over all tokens, and over the answers.

    python -m tests.benchmarks.demo_perplexity MODEL.gguf PROMPTS.jsonl

It has a process of its own: qtui never loads llama.cpp where it can bring something else down.
"""

from __future__ import annotations

import ctypes
import json
import math
import sys
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as api
import numpy as np

CONTEXT = 1024
BEFORE, BETWEEN, AFTER = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"
"""The demo model's chat template around a prompt and its answer."""


@api.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(_level: int, _text: bytes, _user: object) -> None:
    """Drop a line of llama.cpp's log."""


def tokens_of(vocabulary: Any, text: str) -> list[int]:
    """Return a text's tokens, those of the chat format as control tokens."""
    data = text.encode()
    room = (api.llama_token * (len(data) + 8))()
    count = api.llama_tokenize(vocabulary, data, len(data), room, len(room), False, True)
    return list(room[:count])


def surprises(context: Any, batch: Any, tokens: list[int], vocabulary_size: int) -> np.ndarray:
    """Return the negative logarithm of each token's probability after those before it, from the second on."""
    api.llama_memory_clear(api.llama_get_memory(context), False)
    batch.n_tokens = len(tokens)
    for place, token in enumerate(tokens):
        batch.token[place], batch.pos[place], batch.n_seq_id[place] = token, place, 1
        batch.seq_id[place][0], batch.logits[place] = 0, 1
    if api.llama_decode(context, batch):
        raise SystemExit("llama.cpp did not read a prompt")
    found = ctypes.cast(api.llama_get_logits(context), ctypes.POINTER(ctypes.c_float))
    logits = np.ctypeslib.as_array(found, (len(tokens), vocabulary_size))[:-1].astype(np.float64)
    highest = logits.max(1)
    totals = highest + np.log(np.exp(logits - highest[:, None]).sum(1))
    return np.asarray(totals - logits[np.arange(len(tokens) - 1), tokens[1:]])


def perplexities(model_path: Path, prompts: Path) -> dict[str, float]:
    """Return the perplexity over `all` tokens and over those of the `answers`."""
    api.llama_log_set(_silent, ctypes.c_void_p(0))
    api.llama_backend_init()
    model = api.llama_model_load_from_file(str(model_path).encode(), api.llama_model_default_params())
    if not model:
        raise SystemExit(f"llama.cpp cannot load {model_path}")
    options = api.llama_context_default_params()
    options.n_ctx = options.n_batch = options.n_ubatch = CONTEXT
    options.n_threads = options.n_threads_batch = 1
    context = api.llama_init_from_model(model, options)
    vocabulary = api.llama_model_get_vocab(model)
    size = api.llama_vocab_n_tokens(vocabulary)
    batch = api.llama_batch_init(CONTEXT, 0, 1)
    everything: list[np.ndarray] = []
    answers: list[np.ndarray] = []
    for line in prompts.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        before = tokens_of(vocabulary, BEFORE + entry["prompt"] + BETWEEN)
        tokens = before + tokens_of(vocabulary, entry["answer"] + AFTER)
        found = surprises(context, batch, tokens, size)
        everything.append(found)
        answers.append(found[len(before) - 1 :])
    api.llama_batch_free(batch)
    api.llama_free(context)
    api.llama_model_free(model)
    return {name: math.exp(np.concatenate(part).mean()) for name, part in (("all", everything), ("answers", answers))}


if __name__ == "__main__":
    print(json.dumps(perplexities(Path(sys.argv[1]), Path(sys.argv[2]))))
